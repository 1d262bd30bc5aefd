{%- set predictor = var('predictor', 'default') %}
{{ config(materialized='llm', prompt='predict_thought', response='ReasonedResponse',
          llm=predictor if predictor is string else predictor[0], llm_column='llm',
          key=['survey', 'respondent_id', 'question_id', 'setting', 'llm', 'draw'],
          rows_per_call=var('questions_per_call', 1),
          rows_together=['survey', 'respondent_id', 'setting', 'llm', 'draw']) }}
-- The LLM's choices where the setting lets it think first. They come without probabilities.

select * from {{ ref('prediction_requests') }}
where kind not in ('numeric', 'text') and thought and distribution <> 'stated'
