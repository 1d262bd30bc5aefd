{%- set predictor = var('predictor', 'default') %}
{{ config(materialized='llm', prompt='predict_text', response='PredictedText',
          llm=predictor if predictor is string else predictor[0], llm_column='llm',
          key=['survey', 'respondent_id', 'question_id', 'setting', 'llm', 'draw'],
          rows_per_call=var('questions_per_call', 1),
          rows_together=['survey', 'respondent_id', 'setting', 'llm', 'draw']) }}
-- The LLM's answers to questions that are answered in one's own words.

select * from {{ ref('prediction_requests') }}
where kind = 'text'
