"""Options said in sentences: read where one stands as the answer, asked again where none does."""

from __future__ import annotations

import pytest

from lupom.engine.llm.responses import InvalidAnswer

SCALE = ["Strongly agree", "Somewhat agree", "Somewhat disagree", "Strongly disagree"]
RESPECTS = ["Yes, it respects freedoms", "No, it does not"]

# All of them answer "Somewhat agree", which has the label B.
ANSWERS = [
    *('I\'d pick "Somewhat agree".', "I would say Somewhat agree, as they are older."),
    *(
        "The respondent would likely answer: B. Somewhat agree",
        "My choice would be B) Somewhat agree",
    ),
    'My best guess is "Somewhat agree" rather than "Strongly agree".',
    "As a farmer of 52 I'd say **B. Somewhat agree**, for I don't strongly agree with anything.",
    *(
        "This respondent leans toward Somewhat agree.",
        "I'm not sure of it. I'd go with Somewhat agree.",
    ),
    *("Selected option: B", "Assistant: B", "Result \u2192 B", "Answer - B", "\u56de\u7b54\uff1aB"),
    *(
        "B[/INST]",
        "\u2705 B",
        "Somewhat agree \U0001f642",
        "b) somewhat agree",
        "**(b) Somewhat agree**",
    ),
]
NO_ANSWERS = [
    *("I would not answer Somewhat agree.", "The least likely answer is Somewhat agree."),
    *("People like this often say strongly agree, but I can't tell.", "I cannot say: B"),
    *(
        "I'd say either Strongly agree or Somewhat agree.",
        "**Strongly agree** or **Somewhat agree**",
    ),
    *("Most people choose Somewhat agree. This one differs. Strongly agree.", "Confidence: A"),
    *("Those who answer Strongly agree tend to be older.", "I'd say B. Strongly agree"),
    *(
        "It is hard to say. Both are likely.",
        "Not **Somewhat agree**",
        "I'd say somewhat agreeable",
    ),
]
# Nor do these: somebody else's answer, one to something else, a heading, or one that is taken back.
NO_ANSWERS += [
    *("Earlier answer: Strongly agree", "Trust in the police: Somewhat agree", "Options: A"),
    *("Question 4: Strongly agree", "Second choice: Somewhat agree", "Ruled out: A", "Grade: B"),
    *("In 2016 they chose Strongly agree.", "The person said **Strongly agree** on taxes."),
    *("Most Americans would answer Somewhat agree.", "Her husband would say Somewhat agree."),
    *(
        "No respondent would choose Somewhat agree.",
        "I doubt that the person would say Strongly agree.",
    ),
    *("If it were about taxes, they would say Strongly agree.", "I almost said Strongly agree."),
    *("Would the respondent answer Strongly agree?", "Somewhat agree?", "**Somewhat agree**?"),
    *("**Somewhat agree** would be wrong.", "**Somewhat agree**: unlikely", "I would say a"),
    *(
        "They said:\nStrongly agree",
        "Would they agree?\nStrongly agree",
        "I rule out\nStrongly agree",
    ),
    *("Answer: B\n\nAlternatively: Answer: C", "A: I would say Somewhat agree"),
    *(
        "Taxes.\nAnswer: Strongly agree\n\nNow to predict the next question.",
        "Nicht **Somewhat agree**",
    ),
    *(
        "B\n\nQuestion: And taxes?\nAnswer: A",
        "**Somewhat agree**\n\nHowever, it could be another.",
    ),
    *("Initially I would say Strongly agree.", "The person to choose Strongly agree."),
    *("No es probable: B", "**Somewhat agree** ist unwahrscheinlich.", "Respuesta anterior: B"),
]
ANSWERS += [
    *("The most likely answer is B.", "I think the respondent would choose option B."),
    *("B\n\nThe respondent is older and religious.", "Do you agree?\nRespondent: Somewhat agree"),
    *("If I had to guess, I would say Somewhat agree.", "Respuesta: B", "My answer is:\nB"),
    *("Sure! Here's my prediction:\n\nB", "B\n\nBased on the profile, they are moderate."),
]


# The same, with a reason on its line or under a heading.
ANSWERS += [
    *("B) Somewhat agree - they support parks.", "Somewhat agree, because they support parks."),
    *("Answer:\nSomewhat agree\n\nExplanation:\nThey would not pay more.", "> Somewhat agree"),
    *("Somewhat agree (about 60 % likely)", "Here is my answer: Somewhat agree."),
]
NO_ANSWERS += [
    "A) Strongly agree - 40 %, B) Somewhat agree - 60 %",
    "B) Somewhat agree - but it could be A) Strongly agree",
    "Somewhat agree, because Strongly agree goes too far but I am not sure",
    "B) Strongly agree - they support parks.",
]
# A box, a label with its reason, and a plain sentence of other languages.
ANSWERS += [
    *(
        "They are older. So $\\boxed{B}$.",
        "\\[\\boxed{\\text{Somewhat agree}}\\]",
        "\\boxed{B} as he is old",
    ),
    *(
        '{"answer": "\\\\boxed{B}"}',
        '{"answer": "\\boxed{B}"}',
        "B because they are old",
        "B (older)",
    ),
    *("B - they're young", "| Answer | Reason |\n|---|---|\n| B | Old |"),
    *(
        "Meine Antwort: **B**",
        "Die Antwort ist B.",
        "Die wahrscheinlichste Antwort lautet B, weil er alt ist.",
    ),
    *(
        "Er ist alt. Ich w\u00fcrde B w\u00e4hlen.",
        "Ich denke, dass B",
        "Die Person w\u00fcrde B antworten.",
    ),
    *(
        "Ma r\u00e9ponse\u00a0: B",
        "La r\u00e9ponse est B, car il est jeune.",
        "Je pense que c'est B",
        "Je choisirais B.",
    ),
    *(
        "La respuesta es B.",
        'Yo dir\u00eda "Somewhat agree".',
        "Creo que B",
        "La persona responder\u00eda B",
    ),
]
NO_ANSWERS += [
    *("It is not \\boxed{B}.", "\\boxed{B} would be wrong", "First \\boxed{A}, then \\boxed{B}"),
    *(
        "B - but it could be A",
        "B (strongly agree)",
        "B, as they are old, not C",
        "C - 40 %, B - 60 %",
    ),
    *(
        "A lot of people",
        "La respuesta anterior es B",
        "Creo que a",
        "Die Antwort ist strongly agree",
    ),
    *(
        "Die Antwort ist nicht B",
        "La respuesta no es B",
        "Ich w\u00fcrde nicht B w\u00e4hlen",
        "Je ne pense pas que B",
    ),
    *("A (rural) farmer is hard to tell.", "A since-retired miner.", "I (Bob) pass."),
    *("Ich denke, B, da keine Daten da sind.", "Creo que B, porque no hay datos."),
    "Earlier they said:\n\n| Question | Answer |\n|---|---|\n| Parks | B |",
    *("Die Antwort w\u00e4re B oder C", "La respuesta es B?", "Ich denke, B. Oder doch nicht."),
]


@pytest.mark.parametrize("said", ANSWERS)
def test_a_sentence_that_answers_is_read(choice, said):
    assert choice.for_row({"options": SCALE}).parse(said) == {"answer": "Somewhat agree"}


@pytest.mark.parametrize("said", NO_ANSWERS)
def test_a_sentence_that_only_mentions_an_option_is_not(choice, said):
    with pytest.raises(InvalidAnswer):
        choice.for_row({"options": SCALE}).parse(said)


@pytest.mark.parametrize(
    "said", ["No", "no.", "B. No", "Answer: No", "The respondent would say no."]
)
def test_an_option_is_called_by_its_beginning(choice, said):
    assert choice.for_row({"options": RESPECTS}).parse(said) == {"answer": "No, it does not"}


def test_a_table_beside_another_answer_is_none(choice):
    table = "| Question | Answer |\n|---|---|\n| Parks | A |"
    response = choice.for_row({"options": SCALE})
    assert response.parse(f"{table}\n\nFinal answer: A") == {"answer": "Strongly agree"}
    assert response.parse(table) == {"answer": "Strongly agree"}
    assert response.parse(f"{table}\n\nFinal answer: B") == {"answer": "Somewhat agree"}


def test_what_something_is_is_read_where_nothing_else_is_said(choice):
    response = choice.for_row({"options": ["two different things", "one and the same thing"]})
    for said in ("They are two different things.", "The answer is two different things"):
        assert response.parse(said) == {"answer": "two different things"}
    with pytest.raises(InvalidAnswer):
        response.parse("They are two different things to many. I do not know.")


def test_a_beginning_that_two_options_share_is_neither(choice):
    response = choice.for_row(
        {"options": ["Yes, always", "Yes, at times", "$30,000 or more", "No"]}
    )
    for said in ("Yes", "$30", "I would say yes"):
        with pytest.raises(InvalidAnswer):
            response.parse(said)
    assert response.parse("No") == {"answer": "No"}


@pytest.mark.parametrize(
    ("options", "said", "answer"),
    [
        (["Satisfied", "Very satisfied"], "I'd say very satisfied.", "Very satisfied"),
        (["Very likely", "Likely"], "The respondent would answer very likely.", "Very likely"),
        (["B", "A", "C"], "A. B", "B"),
        (["it", "IT"], "IT", "IT"),
        ([str(i) for i in range(11)], '{"answer": 1.0}', "1"),
        ([str(i) for i in range(11)], '{"answer": "1.0"}', None),
        ([str(i) for i in range(11)], "7. 6", None),
        ([str(i) for i in range(11)], "I'd say 1,000", None),
        (["it", "IT"], "I'd say It.", None),
        (["Good", "Poor"], "The answer is good.", None),
        (["Good", "Poor"], "They are poor.", None),
        (["Gut", "Schlecht"], "Die Antwort ist gut.", None),
        (["Gut", "Schlecht"], "Die Antwort ist \u201egut\u201c.", "Gut"),
        (["S\u00ed", "No"], "Creo que s\u00ed.", "S\u00ed"),
        (["Oui", "Non"], "Je pense que non.", "Non"),
        (["Other", "Same"], "I would answer the other.", None),
        (["Guinea", "Congo"], "I'd say Guinea-Bissau.", None),
        (["Other", "Same"], "Other\n\nPlease specify.", None),
        (["Yes", "No"], "Yes\n\nPlease provide the question.", None),
        (["Yes", "No"], "No\n\nReason: there is no data to predict.", None),
        (["Guinea", "Congo"], "The answer is Congo, Democratic Republic", None),
        (["A great deal", "None at all"], "They say a great deal.", None),
        (["Yes", "No"], "No, the respondent would say yes.", None),
        (["Yes", "No"], "I have to say no: I don't predict individuals.", None),
        (["Yes", "No"], "Answerable: No", None),
        (["Yes", "No"], "No\n\nI cannot answer this.", None),
        (["Yes", "No"], "Enough information:\nNo", None),
        (["Yes", ""], "I would say, because of A", None),
        (["Never", "Daily"], "**Never** answer this for real people.", None),
    ],
)
def test_options_that_are_words_numbers_or_parts_of_others(choice, options, said, answer):
    response = choice.for_row({"options": options})
    if answer is None:
        with pytest.raises(InvalidAnswer):
            response.parse(said)
    else:
        assert response.parse(said) == {"answer": answer}


def test_a_long_text_takes_no_time(choice):
    response = choice.for_row({"options": SCALE})
    for said in (
        "say the " * 5000 + "Somewhat agree",
        "**" * 20_000,
        "a: " * 10_000,
        "\\boxed{" * 10_000,
        "\\boxed{" + "{x}" * 10_000,
        "Die Antwort ist " * 5000,
        "| A " * 10_000 + "\n|---|",
        "\n" * 50_000,
    ):
        with pytest.raises(InvalidAnswer):
            response.parse(said)


@pytest.fixture
def reasoned(load):
    """A class of an answer with a thought before it, whose options stand in the prompt in full."""
    spec = load(
        """
        class Reasoned(BaseModel):
            thought: str
            answer: Annotated[str, OneOf("options")]
        """,
        "Reasoned",
    )
    return spec.for_row({"options": SCALE})


@pytest.mark.parametrize(
    ("said", "thought"),
    [
        ('{"answer": "Somewhat agree"}', ""),
        ('{"thought": null, "answer": "Somewhat agree."}', ""),
        ('{"thought": ["Old.", "Rural."], "answer": "Somewhat agree"}', "Old.\nRural."),
        ('{"reasoning": "Old.", "answer": "Somewhat agree"}', "Old."),
        ('{"answer": {"thought": "Old.", "answer": "Somewhat agree"}}', "Old."),
        ("Old.\n\nAnswer: Somewhat agree", "Old.\n\nAnswer: Somewhat agree"),
        ("Old.\nPrediction: B) Somewhat agree", "Old.\nPrediction: B) Somewhat agree"),
        ("**Somewhat agree**", ""),
        ('{"thought": "Old."}\n{"answer": "Somewhat agree"}', "Old."),
        ("| Answer | Reason |\n|---|---|\n| Somewhat agree | Old. |", "Old."),
        ("Old. \\boxed{Somewhat agree}", "Old. \\boxed{Somewhat agree}"),
        ("Alt.\nDie Antwort ist Somewhat agree", "Alt.\nDie Antwort ist Somewhat agree"),
    ],
)
def test_an_answer_is_kept_without_its_thought(reasoned, said, thought):
    reading = reasoned.read(said)
    assert reading.value == {"thought": thought, "answer": "Somewhat agree"}
    assert reading.repaired


@pytest.mark.parametrize(
    "said",
    [
        *(
            '{"thought": "Old."}',
            "{}",
            '{"answer": "Perhaps"}',
            '{"thought": "Old.", "answer": null}',
        ),
        *(
            "Old.\nAnswer: B",
            "Old. \\boxed{B}",
            '{"answer": "B"}',
            "Strongly agree or Somewhat agree",
        ),
    ],
)
def test_a_thought_without_an_answer_is_none_nor_is_a_letter_nobody_gave(reasoned, said):
    with pytest.raises(InvalidAnswer):
        reasoned.parse(said)


def test_a_text_that_must_be_there_is_asked_for_again(load):
    spec = load(
        """
        class Reasoned(BaseModel):
            why: str = Field(min_length=1)
            answer: Annotated[str, OneOf("options")]
        """,
        "Reasoned",
    )
    with pytest.raises(InvalidAnswer, match="why"):
        spec.for_row({"options": SCALE}).parse('{"answer": "Somewhat agree"}')


def test_of_two_fields_that_both_matter_neither_is_made_up(load):
    spec = load("class Person(BaseModel):\n    name: str\n    age: int\n", "Person")
    with pytest.raises(InvalidAnswer, match="name"):
        spec.for_row({}).parse('{"age": 5}')
