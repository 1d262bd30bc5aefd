{{ config(materialized='llm', prompt='predict_thought', response='ReasonedResponse', llm=var('predictor', 'default'),
          key=['survey', 'respondent_id', 'question_id', 'setting', 'llm', 'draw']) }}
-- The LLM's choices where the setting lets it think first. They come without probabilities.

select * from {{ ref('prediction_requests') }}
where kind not in ('numeric', 'text') and thought
