{{ config(materialized='llm', prompt='infer_persona', response='PersonaValues',
          key=['survey', 'respondent_id', 'part']) }}
-- The value of each dimension for each respondent of the sample, read off the answers that may be
-- known. `persona_calls` says what one call decides: all dimensions, those of one level, or one
-- dimension (as in the published system, at 20 to 60 times the cost).
-- Levels alternate in the list: a small model tends to repeat the value before.

with placed as (
    select
        *,
        row_number() over (partition by survey, level order by dimension_id) as place,
        case level when 'low' then 1 when 'mid' then 2 else 3 end as rank
    from {{ ref('persona_dimensions') }}
),

parts as (
    select
        survey,
        {{ {'all': "'all'", 'level': 'level', 'dimension': 'dimension_id'}[var('persona_calls', 'all')] }} as part,
        list(
            struct_pack(
                dimension_id := dimension_id, name := name, description := description,
                candidate_values := candidate_values
            )
            order by place, rank
        ) as dimensions
    from placed
    group by all
)

select h.survey, h.respondent_id, p.part, p.dimensions, h.history
from {{ ref('histories') }} as h
join {{ ref('llm_respondents') }} as r using (survey, respondent_id)
join parts as p using (survey)
