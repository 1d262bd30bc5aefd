{{ config(materialized='llm', prompt='propose_dimensions', response='ProposedDimensions',
          key=['survey', 'question_id']) }}
-- Persona dimensions that the LLM sees behind each question. A capable one writes the values they can
-- take; a small one chooses one of `scales`.

select
    q.survey, q.question_id, q.topic, q.battery, q.item, q.options, q.kind, q.low, q.high, s.scales,
    a.title, a.fielded, a.population, a.country, a.language
from {{ ref('questions') }} as q
cross join (select list(scale order by scale) as scales from {{ ref('persona_scales') }}) as s
left join {{ ref('surveys') }} as a using (survey)
