{{ config(materialized='table') }}
-- Numeric questions without an LLM: the median of what is known of reference respondents.

with medians as (
    select k.survey, k.question_id, median(cast(k.answer as double)) as value
    from {{ ref('known_responses') }} as k
    join {{ ref('questions') }} as q using (survey, question_id)
    join {{ ref('histories') }} as h using (survey, respondent_id)
    where q.kind = 'numeric' and k.status = 'answered' and h.role = 'reference'
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
