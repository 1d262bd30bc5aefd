{{ config(materialized='llm', prompt='predict_number', response='PredictedNumber', llm=var('predictor', 'default'),
          key=['survey', 'respondent_id', 'question_id', 'setting', 'llm', 'draw']) }}
-- The LLM's answers to numeric questions.

select * from {{ ref('prediction_requests') }}
where kind = 'numeric'
