{%- set predictor = var('predictor', 'default') %}
{{ config(materialized='llm', prompt='predict_distribution', response='StatedResponse',
          llm=predictor if predictor is string else predictor[0], llm_column='llm',
          key=['survey', 'respondent_id', 'question_id', 'setting', 'llm', 'draw'],
          rows_per_call=var('questions_per_call', 1),
          rows_together=['survey', 'respondent_id', 'setting', 'llm', 'draw']) }}
-- The probability of each option in the LLM's own words, where the setting asks for it.

select * from {{ ref('prediction_requests') }}
where kind not in ('numeric', 'text') and not thought and distribution = 'stated'
