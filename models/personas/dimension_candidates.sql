{{ config(materialized='llm', prompt='propose_dimensions', response='ProposedDimensions',
          key=['survey', 'question_id']) }}
-- Persona dimensions that the LLM sees behind each question: up to one of each level.

select q.survey, q.question_id, q.battery, q.item, s.scales
from {{ ref('questions') }} as q
cross join (select list(scale order by scale) as scales from {{ ref('persona_scales') }}) as s
