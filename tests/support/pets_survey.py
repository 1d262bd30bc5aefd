"""A small survey with a question of each kind and 30 people, predicted in each setting."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from lupom import Project
from tests.support.fake_project import ROOT
from tests.support.llm_server import LLMServer

# A small survey with a question of each kind, and 30 people.
INFO = """\
key,question,references,option_mapping,option_ordinal,kind,range,refusals
mood,How is your mood?,"['Bad', 'Fair', 'Good', 'Refused']",,"[1, 2, 3]",,,
pet,Which pet do you like best?,"['Cat', 'Dog', 'Neither']",,,,,
fish,"Which do you own? Fish","['Not selected', 'Selected']",,,,,
hours,How many hours a day do you walk?,,"{-1: 'Refused'}",,numeric,"[0, 24]",
why,Why do you walk?,,,,text,,
vote,Would you vote for a cat?,"['Yes', 'No', ""Don't know""]",,,,,option
"""


MOODS, PETS, VOTES = ("Bad", "Fair", "Good"), ("Cat", "Dog", "Neither"), ("Yes", "No", "Don't know")


def responses() -> str:
    lines = ["index,mood,pet,fish,hours,why,vote,AGE"]
    for i in range(30):
        mood = "Refused" if i == 3 else MOODS[i % 3]
        fish = ("Not selected", "Selected")[i % 2]
        hours = -1 if i == 4 else i % 5
        cells = (mood, PETS[i // 10], fish, hours, f"Reason {i}", VOTES[i % 3], 20 + i)
        lines.append(",".join(map(str, (f"p{i:02}", *cells))))
    return "\n".join(lines) + "\n"


# What the LLM and the neighbour search would make: two persona dimensions, three neighbours.
UPSTREAM = {
    "persona_dimensions": """
        select 'pets' as survey, * from (values
            ('care', 'Care for animals', 'How much the person cares', 'mid', ['low', 'high']),
            ('walks', 'Love of walks', 'How the person likes walks', 'low', ['no', 'yes'])
        ) as t(dimension_id, name, description, level, candidate_values)
        """,
    "persona_networks": """
        select 'pets' as survey, 'default' as network, true as is_default
        """,
    "retrieval_settings": """
        select 'pets' as survey, 'default' as retrieval, 'default' as network, true as is_default,
            'persona' as similarity, 'onehot' as encoding, 'refined' as personas,
            false as certainty, 3 as k, null as max_skew, '' as demographics,
            1.0 as demographic_weight
        """,
    "refined_persona_values": """
        select r.survey, 'default' as network, r.respondent_id, d.dimension_id,
            d.candidate_values[1] as value, d.candidate_values[2] as refined_value,
            0.9 as probability
        from {{ ref('respondents') }} as r join {{ ref('persona_dimensions') }} as d using (survey)
        """,
    "persona_network_edges": """
        select 'pets' as survey, 'default' as network, 'care' as parent, 'walks' as child
        """,
    "similar_respondents": """
        select r.survey, 'default' as retrieval, 'default' as network, r.respondent_id,
            n.respondent_id as neighbour_id,
            row_number() over (partition by r.respondent_id order by n.respondent_id) as rank,
            1.0 as similarity
        from {{ ref('respondents') }} as r
        join {{ ref('histories') }} as n
            on n.role = 'reference' and n.respondent_id <> r.respondent_id
        qualify rank <= 3
        """,
    "neighbour_answers": """
        select survey, retrieval, network, respondent_id, question_id,
            mode(answer order by rank) as answer,
            max(n)::double / sum(n) as share, sum(n) as n,
            map_from_entries(list(struct_pack(key := answer, value := n::double / 3)))
                as probabilities
        from (
            select s.survey, s.retrieval, s.network, s.respondent_id, k.question_id, k.answer,
                min(s.rank) as rank, count(*) as n
            from {{ ref('similar_respondents') }} as s
            join {{ ref('known_responses') }} as k
                on k.respondent_id = s.neighbour_id and k.status = 'answered'
            group by all
        )
        group by all
        """,
}


SETTINGS = """\
setting,history,demographics,persona,representation,levels,neighbours,thought,option_order,repeats,llms
history,true,false,none,,,none,false,given,1,
demographics,false,true,none,,,none,false,given,1,
raw,false,false,raw,,,none,false,given,1,
described,false,false,refined,description+candidates,,none,false,given,1,
values,false,false,refined,value,mid high,none,false,given,1,
sure,false,false,refined,,,none,false,given,1,
bare,false,false,none,,,bare,false,given,1,
common,false,false,none,,,common,false,given,1,
answers,false,false,none,,,answers,false,given,1,
distribution,false,false,none,,,distribution,false,given,1,
everything,true,true,refined,name,,common,false,given,1,
thought,true,false,none,,,none,true,given,1,
shuffled,true,false,none,,,none,false,shuffled,1,
thrice,true,false,none,,,none,false,given,3,
two,false,true,none,,,none,false,given,1,"default other"
"""


MODELS = (
    *(
        "prediction_settings",
        "setting_variants",
        "prediction_requests",
        "prediction_answers",
        "prediction_thoughts",
        "prediction_distributions",
        "prediction_thought_distributions",
    ),
    *("prediction_numbers", "prediction_texts", "predictions_elsewhere", "predictions"),
    "order_effects",
)


BASELINES = (
    *("learning_respondents", "learning_answers", "learning_questions"),
    *("fitted_predictors", "baselines"),
)
SCORED = (
    *BASELINES,
    *(
        "number_baselines",
        "persona_predictions",
        "stacked",
        "stack_weights",
        "scores",
        "number_scores",
    ),
)


def make(folder: Path, base_url: str, *more: str) -> Path:
    """Make a project of the shipped models from staging to predictions, and `more`, over the
    small survey."""
    shutil.copytree(ROOT / "models" / "staging", folder / "models" / "staging")
    shutil.copytree(ROOT / "prompts", folder / "prompts")
    (folder / "models" / "prediction").mkdir()
    for name in (*MODELS, *more):
        for file in (ROOT / "models").glob(f"[pe]*/{name}.*"):
            if file.suffix in (".sql", ".py"):
                shutil.copy(file, folder / "models" / "prediction")
    for name, sql in UPSTREAM.items():
        (folder / "models" / f"{name}.sql").write_text(sql)
    seeds = folder / "seeds"
    seeds.mkdir()
    (seeds / "pets_info.csv").write_text(INFO)
    (seeds / "pets_responses.csv").write_text(responses())
    (seeds / "pets_metadata.csv").write_text("key,references\nAGE,[]\n")
    (seeds / "settings.csv").write_text(SETTINGS)
    (folder / "lupom_project.yml").write_text(f"""
name: pets
vars:
  {{seed: 1, surveys: [pets], predictor: default, llm_pairs: 1000, llm_tuning_pairs: 0,
    predictors: [majority, logistic_answers]}}
models: {{+materialized: table}}
guarded_tags: [holdout]
llms:
  default: {{provider: openai, base_url: '{base_url}', model: one}}
  other: {{provider: openai, base_url: '{base_url}', model: two}}
""")
    return folder


# What stands over the parts of a prompt.
HEADINGS = {
    "",
    "What is known of the person",
    "Answers to other questions of the survey (Q: question, A: the person's answer):",
    "Attributes:",
    "Estimates of where the person stands:",
    "Nothing but that the person is one of the population.",
}


class Asked:
    """A project and its server, after a run."""

    def __init__(self, folder: Path, server: LLMServer, **vars: Any) -> None:
        server.reset()
        self.project = Project(folder, vars=vars)
        self.server = server
        self.result = self.project.run()
        self.errors = [n.message for n in self.result.nodes if n.status == "error"]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.project.query(sql).rows()

    def known(self, question: str) -> list[str]:
        """Return what each prompt for a question tells of the person and of people like them."""
        found = []
        for prompt in self.server.prompts:
            person, asked = prompt.split("\n\nQuestion to predict\n\n")
            if f"Q: {question}" in asked:
                lines = f"{person}\n{asked.split('Q: ')[0]}".splitlines()
                found.append("".join(f"{line}\n" for line in lines if line not in HEADINGS))
        return found


FISH = "Which do you own? Fish"
