{{ config(materialized='table', tags=['holdout']) }}
-- With var protocol: persona_db, accuracy on the published pairs with refused gold counted both ways:
-- left out, or as a wrong answer of every predictor. Empty otherwise. A predictor that was asked a
-- sample of the answered pairs has as many refusals beside it as belong to such a sample: those of all
-- pairs would make .171 of 13 in 60 right, where .213 is right of 984 answered pairs and 16 refused.

with published as (
    {% if var('protocol', 'drawn') == 'persona_db' %}
    {% for name in var('published_pairs', ['published_pairs']) %}
    {{ 'union' if not loop.first }}
    select distinct
        survey, cast(author_id as varchar) as respondent_id, cast(conversation_id as varchar) as question_id
    from {{ ref(name) }}
    {% endfor %}
    {% else %}
    select null::varchar as survey, null::varchar as respondent_id, null::varchar as question_id
    where false
    {% endif %}
),

gold as (
    select p.survey, p.respondent_id, p.question_id, coalesce(r.status, 'unknown') as status
    from published as p
    left join {{ ref('responses') }} as r using (survey, respondent_id, question_id)
),

counts as (
    select survey,
        count(*) as pairs,
        count(*) filter (where status in ('refused', 'dont_know')) as refused,
        count(*) filter (where status in ('unknown', 'not_asked')) as not_found,
        count(*) filter (where status = 'answered') as answered
    from gold
    group by survey
)

select
    s.survey, s.predictor, s.llm,
    count(*) as n,
    c.pairs, c.refused, c.not_found,
    avg(s.correct::int) as accuracy_refused_left_out,
    avg(s.correct::int) * c.answered / (c.answered + c.refused) as accuracy_refused_wrong
from {{ ref('scores') }} as s
join gold as g using (survey, respondent_id, question_id)
join counts as c on c.survey = s.survey
group by s.survey, s.predictor, s.llm, c.pairs, c.refused, c.not_found, c.answered
order by s.survey, s.predictor, s.llm
