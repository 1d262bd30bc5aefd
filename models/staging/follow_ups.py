"""Which questions are asked by what the answer to another one is."""

from lupom.science.planning import follow_ups


def model(lupom):
    # Of very many people some say it, drawn by hash.
    draw = f"md5(concat_ws('|', '{lupom.var('seed', 1)}', 'filters', survey, respondent_id))"
    people = (
        lupom.ref("respondents")
        .select(
            "survey, respondent_id, attributes, weight, row_number() over (partition by survey "
            f"order by {draw}, respondent_id) as place"
        )
        .filter("place <= 20000")
    )
    return follow_ups.follow_ups(
        lupom.ref("unscored_responses").join(people, "survey, respondent_id", how="semi"),
        people,
        lupom.ref("questions"),
    )
