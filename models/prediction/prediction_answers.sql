{{ config(materialized='llm', prompt='predict_response', response='PredictedResponse',
          llm=var('prediction_llm', 'default'),
          key=['survey', 'respondent_id', 'question_id', 'setting']) }}
-- The LLM's answers to prediction_requests, with the probability of each option where it gives them.

select * from {{ ref('prediction_requests') }}
