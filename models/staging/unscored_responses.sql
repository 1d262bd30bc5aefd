{{ config(materialized='view', filters_holdout=true) }}
-- Who was asked what, for what is found of filters: all responses, and no answer that is scored. What is
-- hidden besides (what hangs on a held-out answer, a scenario's other answers) is there: nothing that
-- predicts may read this table.

select
    r.survey, r.respondent_id, r.question_id, r.status,
    case when d.role in ('test', 'tuning') then null else r.answer end as answer
from {{ ref('responses') }} as r
left join {{ ref('drawn_pairs') }} as d using (survey, respondent_id, question_id)
