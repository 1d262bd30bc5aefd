"""Persona dimensions as a capable LLM names and describes them, for `capable`.

Names, descriptions, values and their punctuation are like those of dimensions that Claude wrote:
names of up to 60 characters with `&`, slashes and parentheses, descriptions of 90 to 250.
"""

from __future__ import annotations

# Level, the names that one dimension goes by, what it is, its values, whether they are in order.
Concept = tuple[str, tuple[str, ...], str, tuple[str, ...], bool]

CONCEPTS: tuple[Concept, ...] = (
    (
        "low",
        (
            "Support for Government Spending on Parks & Recreation",
            "Parks & Recreation Spending Preference",
            "Attitude toward Public Funding of Parks/Recreation",
        ),
        "Whether the person wants more or less public money to go to parks, playgrounds and "
        "other places of recreation. It follows from what the person thinks of such services "
        "close to home.",
        ("Spend less", "Keep as is", "Spend more"),
        True,
    ),
    (
        "low",
        (
            "Acceptance of Genetically Modified Foods (GMOs)",
            "GMO Food Acceptance",
            "Comfort with Genetically Modified Foods (GMOs)",
        ),
        "How comfortable the person is with eating foods that contain genetically modified "
        "ingredients, and how safe the person believes them to be compared with other foods.",
        ("Strongly opposed", "Somewhat opposed", "Neutral/ambivalent", "Accepting", "Enthusiastic"),
        True,
    ),
    (
        "low",
        ("Position on Legal Abortion (Circumstances)", "Abortion Legality Stance"),
        "Under which circumstances, if under any, the person believes that a woman should be "
        "able to end a pregnancy legally; this ranges from never to whenever she wants to.",
        ("Never", "Only if life, rape or incest", "In most cases", "Always"),
        True,
    ),
    (
        "low",
        ("Support for Stricter Gun Permits & Background Checks", "Gun Regulation Preference"),
        "How far the person would have the law go in requiring permits, background checks and"
        " other conditions before somebody may buy or carry a gun.",
        ("Opposes", "Lukewarm", "Supports"),
        True,
    ),
    (
        "low",
        ("Preferred Use of Space Exploration Funds", "Space Exploration Priority"),
        "What the person would have the space program do first, if anything: send people, "
        "watch the climate of the earth, search for raw materials, or leave it to private "
        "companies.",
        ('Human missions ("Mars first")', "Climate & Earth science", "Private sector", "None"),
        False,
    ),
    (
        "low",
        ("Approval of Premarital Sex & Cohabitation", "View of Sex before Marriage"),
        "Whether the person thinks that sexual relations before marriage, and living together"
        " without being married, are wrong under some circumstances or not at all.",
        ("Always wrong", "Almost always wrong", "Wrong only sometimes", "Not wrong at all"),
        True,
    ),
    (
        "mid",
        (
            "Trust in Science & Technology (Institutional)",
            "Institutional Trust in Scientific Expertise",
            "Confidence in Scientists/Medical Researchers",
        ),
        "How much the person trusts scientists, medical researchers and the institutions they"
        " work for to act in the public's interest, and to say honestly what is known and "
        "what is not.",
        ("Distrustful", "Skeptical", "Moderate trust", "High trust"),
        True,
    ),
    (
        "mid",
        (
            "Preferred Scope of Government Responsibility",
            "Role of Government (Limited vs. Expansive)",
        ),
        "How large a part the person thinks government should play in solving problems of the"
        " country, in place of individuals, families, companies and charities.",
        ("Minimal", "Limited", "Shared", "Broad", "Comprehensive"),
        True,
    ),
    (
        "mid",
        ("Religious Commitment & Practice", "Religiosity (Belief and Attendance)"),
        "How much religious belief, prayer and taking part in services shape the person's "
        "everyday life and the way in which the person decides what is right and what is "
        "wrong.",
        ("Secular", "Nominal", "Observant", "Devout"),
        True,
    ),
    (
        "mid",
        ("Economic Security & Financial Optimism", "Financial Outlook (Household)"),
        "Whether the person feels that the household's money suffices and expects its "
        "standard of living to get better or worse over the coming years.",
        ("Pessimistic", "Mixed", "Optimistic"),
        True,
    ),
    (
        "mid",
        ("Interpersonal Trust", "Trust in Other People (Generalized)"),
        "Whether the person believes that most people can be trusted, are fair and try to be "
        "helpful, or that one cannot be too careful in dealing with them.",
        ("Careful", "It depends", "Trusting"),
        True,
    ),
    (
        "mid",
        ("Main Source of Political News", "News Diet: Dominant Channel"),
        "Where the person mostly learns about politics, which goes together with what the "
        "person hears of and what is passed over.",
        ("Television", "Newspapers, in print or online", "Social media", "Talk with others"),
        False,
    ),
    (
        "high",
        (
            "Traditional vs. Progressive Moral Worldview",
            "Moral Traditionalism",
            "Moral Orientation (Traditional/Progressive)",
        ),
        "Whether the person holds that right and wrong were settled by tradition and faith, "
        "or that they are found anew by every generation and by every person.",
        ("Traditional", "Leaning traditional", "Leaning progressive", "Progressive"),
        True,
    ),
    (
        "high",
        ("Individualism versus Collectivism", "Self-Reliance & Individual Responsibility"),
        "Whether the person sees people first of all as makers of their own lives, or as "
        "members of a community that owe each other support.",
        ("Collectivist", "Balanced", "Individualist"),
        True,
    ),
    (
        "high",
        ("Openness to Change & New Ideas", "Openness vs. Conservation (Values)"),
        "How far the person seeks out what is new and different, and how far order, safety "
        "and what has stood the test of time come first.",
        ("Very low", "Low", "Somewhat low", "Medium", "Somewhat high", "High", "Very high"),
        True,
    ),
    (
        "high",
        ("Egalitarianism & Social Justice Orientation", "Belief in Equality of Groups"),
        "How important it is to the person that all groups of society have the same standing "
        "and the same chances, even where that takes something away from those who have more.",
        ("Hierarchical", "Meritocratic", "Egalitarian"),
        True,
    ),
    (
        "high",
        ("Age & Generational Cohort", "Generational Cohort (Age)"),
        "The generation that the person belongs to by year of birth, from the youngest adults"
        " to the oldest.",
        ("Under 30", "30 to 49", "50 to 64", "65 and over"),
        True,
    ),
)
# The last restates an attribute that surveys know of everybody.
DEMOGRAPHIC = CONCEPTS[-1]
