{{ config(materialized='table') }}
-- What is asked: each pair of the LLM's sample in each setting of prediction_settings, of each of its
-- LLMs, as many times as it repeats. A part that a setting leaves out is empty, and the prompt leaves
-- it out with its heading. `options` stand in the order they are asked in.

with personas as (
    select
        s.setting, v.survey, v.respondent_id,
        list(
            struct_pack(
                name := case when s.representation not like 'value%' then d.name end,
                description := case when s.representation like 'description%' then d.description end,
                candidate_values := case
                    when contains(s.representation, '+candidates') then d.candidate_values else [] end,
                value := if(x.network = 'none', v.value, v.refined_value),
                certainty := case
                    when contains(s.representation, '+certainty') and x.network <> 'none' then v.probability end
            )
            order by case d.level when 'high' then 1 when 'mid' then 2 else 3 end, d.dimension_id
        ) as persona
    from {{ ref('refined_persona_values') }} as v
    join {{ ref('persona_dimensions') }} as d using (survey, dimension_id)
    join (select distinct setting, persona, representation, levels from {{ ref('prediction_settings') }}) as s
        on s.persona <> 'none' and list_contains(s.levels, d.level)
    join {{ ref('setting_variants') }} as x on x.survey = v.survey and x.setting = s.setting
    join {{ ref('persona_networks') }} as w on w.survey = v.survey and w.network = v.network
    -- Raw values stand beside the refined ones of every network: those of the default one are read.
    where if(x.network = 'none', w.is_default, x.network = v.network)
        and if(x.network = 'none', v.value, v.refined_value) is not null
    group by s.setting, v.survey, v.respondent_id
),

pairs as (
    select p.*, q.question, q.battery, q.item, q.options, q.kind, q.low, q.high
    from {{ ref('llm_pairs') }} as p
    join {{ ref('questions') }} as q using (survey, question_id)
),

-- Attributes in words, in the order of the survey's own table; what is blank is left out.
described as (
    select
        r.survey, r.respondent_id,
        list(
            struct_pack(key := entry.key, value := entry.value, label := coalesce(l.label, entry.key))
            order by l.position, entry.key
        ) as attributes
    from (
        select survey, respondent_id, unnest(map_entries(attributes)) as entry
        from {{ ref('respondents') }}
        semi join pairs using (survey, respondent_id)
    ) as r
    left join {{ ref('attribute_labels') }} as l on l.survey = r.survey and l.attribute = entry.key
    where trim(entry.value) <> ''
    group by r.survey, r.respondent_id
),

told as (
    select
        p.survey, n.retrieval, n.network, p.respondent_id, p.question_id,
        list(k.answer order by n.rank) as answers
    from pairs as p
    join {{ ref('similar_respondents') }} as n using (survey, respondent_id)
    join {{ ref('known_responses') }} as k
        on k.survey = p.survey and k.respondent_id = n.neighbour_id and k.question_id = p.question_id
    where k.status = 'answered'
        and exists (from {{ ref('prediction_settings') }} where neighbours = 'answers')
    group by p.survey, n.retrieval, n.network, p.respondent_id, p.question_id
),

-- The neighbours' answers from the most common to the rarest; of equals in the questionnaire's order.
spread as (
    select
        survey, retrieval, network, respondent_id, question_id,
        list(
            struct_pack(answer := entry.key, share := entry.value)
            order by entry.value desc, list_position(options, entry.key), entry.key
        ) as distribution
    from (
        select p.survey, n.retrieval, n.network, p.respondent_id, p.question_id, p.options,
            unnest(map_entries(n.probabilities)) as entry
        from pairs as p
        join {{ ref('neighbour_answers') }} as n using (survey, respondent_id, question_id)
    )
    group by survey, retrieval, network, respondent_id, question_id
),

-- Options in an order of their own for each respondent, question and draw, the same in every setting.
orders as (
    select
        survey, respondent_id, question_id, draw,
        list(
            option order by
                md5(concat_ws('|', '{{ var("seed", 1) }}', 'order', survey, respondent_id, question_id, draw, option)),
                option
        ) as options
    from (
        select survey, respondent_id, question_id, draw, unnest(options) as option
        from pairs
        cross join (
            select unnest(range(coalesce(max(repeats), 1))) as draw
            from {{ ref('prediction_settings') }}
            where option_order = 'shuffled'
        )
    )
    group by survey, respondent_id, question_id, draw
)

select
    p.survey, p.respondent_id, p.question_id, s.setting, s.llm, d.draw,
    p.role, p.scenario, p.kind, s.thought, s.option_order, s.distribution,
    u.title, u.fielded, u.population, u.country, u.language,
    p.question, p.battery, p.item, p.low, p.high,
    case when s.option_order = 'shuffled' then coalesce(o.options, []) else p.options end as options,
    case when s.history then coalesce(h.history, []) else [] end as history,
    case when s.demographics then coalesce(r.attributes, []) else [] end as attributes,
    coalesce(m.persona, []) as persona,
    case when s.neighbours in ('bare', 'common') then n.answer end as neighbours_answer,
    case when s.neighbours = 'common' then n.share end as neighbours_share,
    case when s.neighbours = 'answers' then coalesce(t.answers, []) else [] end as neighbours_answers,
    case when s.neighbours = 'distribution' then coalesce(w.distribution, []) else [] end
        as neighbours_distribution
from pairs as p
cross join {{ ref('prediction_settings') }} as s
cross join lateral (select unnest(range(s.repeats)) as draw) as d
join {{ ref('histories') }} as h
    on h.survey = p.survey and h.respondent_id = p.respondent_id
left join {{ ref('surveys') }} as u on u.survey = p.survey
left join described as r
    on r.survey = p.survey and r.respondent_id = p.respondent_id
join {{ ref('setting_variants') }} as x
    on x.survey = p.survey and x.setting = s.setting
left join personas as m
    on m.survey = p.survey and m.respondent_id = p.respondent_id and m.setting = s.setting
left join {{ ref('neighbour_answers') }} as n
    on n.survey = p.survey and n.respondent_id = p.respondent_id and n.question_id = p.question_id
    and n.retrieval = x.retrieval and n.network = x.neighbour_network
left join told as t
    on t.survey = p.survey and t.respondent_id = p.respondent_id and t.question_id = p.question_id
    and t.retrieval = x.retrieval and t.network = x.neighbour_network
left join spread as w
    on w.survey = p.survey and w.respondent_id = p.respondent_id and w.question_id = p.question_id
    and w.retrieval = x.retrieval and w.network = x.neighbour_network
left join orders as o
    on o.survey = p.survey and o.respondent_id = p.respondent_id and o.question_id = p.question_id
    and o.draw = d.draw
