{{ config(materialized='table', filters_holdout=true) }}
-- Every pair of respondent and question, with the answer where a model may know it. This is where
-- held-out answers are taken out: everything below reads this table and never `responses`.

select
    r.survey,
    r.respondent_id,
    r.question_id,
    coalesce(h.role, 'known') as role,
    case when h.role is null then r.status else 'held_out' end as status,
    case when h.role is null then r.answer end as answer,
    h.scenario
from {{ ref('responses') }} as r
left join {{ ref('holdout') }} as h using (survey, respondent_id, question_id)
