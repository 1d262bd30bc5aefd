{{ config(materialized='table') }}
{%- set tested = var('learn_from_tested', true) %}
-- Numeric questions without an LLM: the median of what is known of {{ 'all' if tested else 'reference' }} respondents.

with medians as (
    select k.survey, k.question_id, median(cast(k.answer as double)) as value
    from {{ ref('known_responses') }} as k
    join {{ ref('questions') }} as q using (survey, question_id)
    join {{ ref('histories') }} as h using (survey, respondent_id)
    where q.kind = 'numeric' and k.status = 'answered' and h.role in ('reference'{{ ", 'test'" if tested }})
    group by k.survey, k.question_id
)

select
    k.survey, k.respondent_id, k.question_id,
    'median' as predictor,
    null::varchar as llm,
    m.value,
    'valid' as status,
    k.role, k.scenario
from {{ ref('known_responses') }} as k
join medians as m using (survey, question_id)
where k.role in ('test', 'tuning')
