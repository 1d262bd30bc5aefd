{{ config(materialized='table') }}
-- Questions with options and nothing of their wording, which no predictor reads.

select survey, question_id, options from {{ ref('closed_questions') }}
