{{ config(materialized='table') }}
-- Reference respondents, as predictors see them.

select survey, respondent_id, attributes, weight
from {{ ref('respondents') }}
anti join (
    select survey, respondent_id from {{ ref('known_responses') }} where role = 'test'
) using (survey, respondent_id)
