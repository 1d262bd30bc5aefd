{{ config(materialized='table') }}
-- One row per prediction asked of the LLM. Those without a valid answer are there, too: they count
-- against the setting.

select
    r.survey, r.respondent_id, r.question_id,
    r.setting as predictor,
    '{{ var("prediction_llm", "default") }}' as llm,
    a.answer, a.probabilities, a.missing_mass,
    case when a.answer is null then 'invalid' else 'valid' end as status,
    a.call_id,
    r.role, r.scenario
from {{ ref('prediction_requests') }} as r
left join {{ ref('prediction_answers') }} as a using (survey, respondent_id, question_id, setting)
-- Without an LLM nothing was asked, so that nothing counts against anyone.
where exists (select 1 from {{ ref('prediction_answers') }})
