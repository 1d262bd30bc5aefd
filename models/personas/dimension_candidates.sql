{{ config(materialized='llm', prompt='propose_dimensions', response='ProposedDimensions',
          key=['survey', 'question_id']) }}
-- Persona dimensions that the LLM sees behind each question. A capable one writes the values they can
-- take; a small one chooses one of `scales`, and is asked about `small_llm_questions` of them, of each
-- battery as many: it says much the same about every item of one, at six seconds each.
{%- set few = var('small_llm_questions', 12) if llms['default'].profile == 'small' %}

select
    q.survey, q.question_id, q.topic, q.battery, q.item, q.options, q.kind, q.low, q.high, s.scales,
    a.title, a.fielded, a.population, a.country, a.language
from {{ ref('questions') }} as q
cross join (select list(scale order by scale) as scales from {{ ref('persona_scales') }}) as s
left join {{ ref('surveys') }} as a using (survey)
{%- if few %}
semi join (
    select survey, question_id
    from (
        select
            *,
            row_number() over (
                partition by survey, coalesce(battery, question_id)
                order by md5(concat_ws('|', '{{ var("seed", 1) }}', 'dimensions', question_id)), question_id
            ) as place
        from {{ ref('questions') }}
    )
    qualify row_number() over (partition by survey order by place, question_id) <= {{ few }}
) using (survey, question_id)
{%- endif %}
