{{ config(materialized='table') }}
-- What is asked: each pair of the LLM's sample in each setting of `prediction_settings`. A part
-- that a setting leaves out is empty, and the prompt leaves it out with its heading.

with personas as (
    select
        v.survey, v.respondent_id,
        list(
            struct_pack(name := d.name, description := d.description, value := v.refined_value)
            order by case d.level when 'high' then 1 when 'mid' then 2 else 3 end, d.dimension_id
        ) as persona
    from {{ ref('refined_persona_values') }} as v
    join {{ ref('persona_dimensions') }} as d using (survey, dimension_id)
    where v.refined_value is not null
    group by v.survey, v.respondent_id
)

select
    p.survey, p.respondent_id, p.question_id, s.setting, p.role, p.scenario,
    q.question, q.options,
    case when s.history then h.history else [] end as history,
    case when s.demographics then coalesce(map_entries(r.attributes), []) else [] end as attributes,
    case when s.persona then coalesce(m.persona, []) else [] end as persona,
    case when s.neighbours then n.answer end as neighbours_answer,
    case when s.neighbours then n.share end as neighbours_share
from {{ ref('llm_pairs') }} as p
join {{ ref('settings') }} as s
    on s.setting in (
        {% for setting in var('prediction_settings', ['history', 'everything']) %}
        '{{ setting }}'{{ ',' if not loop.last }}
        {% endfor %}
    )
join {{ ref('questions') }} as q using (survey, question_id)
join {{ ref('histories') }} as h using (survey, respondent_id)
join {{ ref('respondents') }} as r using (survey, respondent_id)
left join personas as m using (survey, respondent_id)
left join {{ ref('neighbour_answers') }} as n using (survey, respondent_id, question_id)
