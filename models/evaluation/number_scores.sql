{{ config(materialized='table', tags=['holdout']) }}
-- Predictions of numeric test pairs beside the number given. An invalid prediction has no error: look
-- at the share of them beside the mean error.

with predicted as (
    select survey, respondent_id, question_id, predictor, llm, value, status
    from {{ ref('number_baselines') }}
    where role = 'test'
    union all
    select p.survey, p.respondent_id, p.question_id, p.predictor, p.llm, p.value, p.status
    from {{ ref('predictions') }} as p
    join {{ ref('questions') }} as q using (survey, question_id)
    where q.kind = 'numeric' and p.role = 'test'
),

-- The range of a question that says none is that of its known answers.
ranges as (
    select survey, question_id, max(cast(k.answer as double)) - min(cast(k.answer as double)) as width
    from {{ ref('known_responses') }} as k
    join {{ ref('questions') }} as q using (survey, question_id)
    where q.kind = 'numeric' and k.status = 'answered'
    group by survey, question_id
)

select
    p.*,
    h.scenario,
    cast(h.answer as double) as truth,
    abs(p.value - cast(h.answer as double)) as absolute_error,
    abs(p.value - cast(h.answer as double)) / coalesce(q.high - q.low, nullif(r.width, 0)) as relative_error,
    exists (
        from {{ ref('llm_pairs') }} as l
        where l.survey = p.survey and l.respondent_id = p.respondent_id
            and l.question_id = p.question_id
    ) as in_llm_sample
from predicted as p
join {{ ref('holdout') }} as h using (survey, respondent_id, question_id)
join {{ ref('questions') }} as q using (survey, question_id)
left join ranges as r using (survey, question_id)
where h.role = 'test' and q.kind = 'numeric'
