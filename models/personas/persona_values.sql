{%- set calls = var('persona_calls', 'all') %}
{%- set one_each = calls == 'dimension' %}
{%- set wrong = "error('persona_calls is all, level or dimension, not " ~ (calls | string | replace("'", "''")) ~ "')" %}
{%- set parts = var('persona_parts_per_call', 1) %}
{{ config(materialized='llm', prompt='infer_persona', response='PersonaValue' if one_each else 'PersonaValues',
          key=['survey', 'respondent_id', 'part'],
          rows_per_call=1 if calls == 'all' else parts,
          rows_together=['survey', 'respondent_id']) }}
-- The value of each dimension for each respondent of the sample, read off the answers that may be
-- known. `persona_calls` says what one call decides: all dimensions, those of one level, or one
-- dimension (as in the published system, at as many times the calls as there are dimensions); and
-- `persona_parts_per_call` how many of these parts one request may ask together.
-- Levels alternate in the list: a small model tends to repeat the value before.

with placed as (
    select
        *,
        row_number() over (partition by survey, level order by dimension_id) as place,
        case level when 'low' then 1 when 'mid' then 2 else 3 end as rank,
        row_number() over (partition by survey order by dimension_id) as number
    from {{ ref('persona_dimensions') }}
),

parts as (
    select
        survey,
        {{ {'all': "'all'", 'level': 'level', 'dimension': 'dimension_id'}.get(calls, wrong) }} as part,
        list(
            struct_pack(
                dimension_id := dimension_id, name := name, description := description, level := level,
                candidate_values := candidate_values, ordered := ordered,
                -- What its value is called in the answer. Providers take up to 64 of these characters.
                label := {% if one_each %}'value'{% else %}if(
                    regexp_full_match(dimension_id, '[a-z0-9_]{1,64}'),
                    dimension_id, 'dimension__' || number
                ){% endif %}

            )
            order by place, rank
        ) as dimensions
    from placed
    group by all
)

select
    h.survey, h.respondent_id, p.part, p.dimensions, h.history,
    a.title, a.fielded, a.population, a.country, a.language
from {{ ref('histories') }} as h
join {{ ref('llm_respondents') }} as r using (survey, respondent_id)
join parts as p using (survey)
left join {{ ref('surveys') }} as a using (survey)
