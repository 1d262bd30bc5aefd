{{ config(materialized='table', tags=['holdout']) }}
-- With var protocol: persona_db, accuracy on the published pairs with refused gold counted both ways:
-- left out, or as a wrong answer of every predictor. Empty otherwise.

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
        count(*) filter (where status in ('unknown', 'not_asked')) as not_found
    from gold
    group by survey
)

select
    s.survey, s.predictor, s.llm,
    count(*) as n,
    c.pairs, c.refused, c.not_found,
    avg(s.correct::int) as accuracy_refused_left_out,
    sum(s.correct::int) / (count(*) + c.refused) as accuracy_refused_wrong
from {{ ref('scores') }} as s
join gold as g using (survey, respondent_id, question_id)
join counts as c on c.survey = s.survey
group by s.survey, s.predictor, s.llm, c.pairs, c.refused, c.not_found
order by s.survey, s.predictor, s.llm
