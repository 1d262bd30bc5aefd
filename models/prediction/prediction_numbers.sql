{%- set predictor = var('predictor', 'default') %}
{{ config(materialized='llm', prompt='predict_number', response='PredictedNumber',
          llm=predictor if predictor is string else predictor[0], llm_column='llm',
          key=['survey', 'respondent_id', 'question_id', 'setting', 'llm', 'draw'],
          rows_per_call=var('questions_per_call', 1),
          rows_together=['survey', 'respondent_id', 'setting', 'llm', 'draw']) }}
-- The LLM's answers to numeric questions.

select * from {{ ref('prediction_requests') }}
where kind = 'numeric'
