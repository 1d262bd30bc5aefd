{{ config(materialized='table', tags=['holdout']) }}
-- The imputed sets as one sheet, as SPSS and R's mice take them: Imputation_ is 0 for the answers as they
-- are and 1, 2, ... for each completed set; a column a question.

with sets as (
    select 0 as imputation
    union all
    select distinct imputation from {{ ref('imputations') }}
),

cells as (
    select
        sets.imputation as "Imputation_",
        r.survey,
        r.respondent_id,
        people.weight,
        r.question_id,
        coalesce(r.answer, i.answer) as answer
    from {{ ref('responses') }} as r
    join {{ ref('closed_questions') }} as q using (survey, question_id)
    join {{ ref('respondents') }} as people using (survey, respondent_id)
    cross join sets
    left join {{ ref('imputations') }} as i
        on i.survey = r.survey
        and i.respondent_id = r.respondent_id
        and i.question_id = r.question_id
        and i.imputation = sets.imputation
    where exists (from {{ ref('imputations') }})
)

select *
from (
    pivot cells on question_id using any_value(answer)
    group by "Imputation_", survey, respondent_id, weight
    order by survey, "Imputation_", respondent_id
)
