{%- set predictor = var('predictor', 'default') %}
{{ config(materialized='llm', prompt='predict_response', response='PredictedResponse',
          llm=predictor if predictor is string else predictor[0], llm_column='llm',
          key=['survey', 'respondent_id', 'question_id', 'setting', 'llm', 'draw'],
          rows_per_call=var('questions_per_call', 1),
          rows_together=['survey', 'respondent_id', 'setting', 'llm', 'draw']) }}
-- The LLM's choices among the options of prediction_requests, with the probability of each option where
-- it gives them.

select * from {{ ref('prediction_requests') }}
where kind not in ('numeric', 'text') and not thought and distribution <> 'stated'
