"""What the similar respondents answered: the most common answer to each question, and its share."""

from lupom.science import neighbours


def model(lupom):
    return neighbours.neighbour_answers_in_parts(
        lupom.ref("similar_respondents"),
        lupom.ref("known_responses").filter("status = 'answered'"),
        through=lupom.map,
    )
