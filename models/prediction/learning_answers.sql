{{ config(materialized='table') }}
-- What predictors learn from: the known answers of learning_respondents. It stays as it is where a
-- held-out answer, a wording or another respondent changes, and so does what is fitted to it.

select survey, respondent_id, question_id, answer
from {{ ref('known_responses') }}
semi join {{ ref('closed_questions') }} using (survey, question_id)
semi join {{ ref('learning_respondents') }} using (survey, respondent_id)
where answer is not null
