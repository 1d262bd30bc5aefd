{{ config(materialized='llm', prompt='infer_persona', response='PersonaValues',
          key=['survey', 'respondent_id', 'part']) }}
-- The value of each dimension for each respondent, read off the answers that may be known.
-- `persona_calls` says how many dimensions one call decides: all of them, those of one level, or one
-- (as in the published system, at 20 to 60 times the cost).

with parts as (
    select
        survey,
        {% set calls = var('persona_calls', 'all') %}
        {{ {'all': "'all'", 'level': 'level', 'dimension': 'dimension_id'}[calls] }} as part,
        list(
            struct_pack(
                dimension_id := dimension_id, name := name, description := description,
                candidate_values := candidate_values
            )
            order by case level when 'high' then 1 when 'mid' then 2 else 3 end, dimension_id
        ) as dimensions
    from {{ ref('persona_dimensions') }}
    group by all
)

select h.survey, h.respondent_id, p.part, p.dimensions, h.history
from {{ ref('histories') }} as h
join {{ ref('llm_respondents') }} as r using (survey, respondent_id)
join parts as p using (survey)
