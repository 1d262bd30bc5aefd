{# What refinement did to each dimension, by network. A value is missing where the LLM left it unknown; a
   dimension with more than refine_much_missing of them is flagged. #}
with edges as (
    select survey, network, dimension_id, sum(parents) as parents, sum(children) as children
    from (
        select survey, network, child as dimension_id, 1 as parents, 0 as children
        from {{ ref('persona_network_edges') }}
        union all
        select survey, network, parent as dimension_id, 0 as parents, 1 as children
        from {{ ref('persona_network_edges') }}
    )
    group by survey, network, dimension_id
),

cells as (
    select
        survey,
        network,
        dimension_id,
        count(*) as respondents,
        count(*) filter (value is null) as missing,
        count(*) filter (value is not null and not changed) as kept,
        count(*) filter (value is not null and changed) as replaced,
        count(*) filter (value is null and changed) as filled,
        count(*) filter (refined_value is null) as left_unknown,
        avg(probability) as mean_probability,
        avg(entropy) as mean_entropy,
        avg(1 - raw_probability) as doubted
    from {{ ref('refined_persona_values') }}
    group by survey, network, dimension_id
)

select
    cells.survey,
    cells.network,
    cells.dimension_id,
    dimensions.level,
    cells.respondents,
    cells.missing,
    cells.missing / cells.respondents as missing_share,
    cells.missing / cells.respondents > {{ var('refine_much_missing', 0.2) }} as much_missing,
    cells.kept,
    cells.replaced,
    cells.filled,
    cells.left_unknown,
    cells.mean_probability,
    cells.mean_entropy,
    cells.doubted,
    coalesce(edges.parents, 0)::bigint as parents,
    coalesce(edges.children, 0)::bigint as children
from cells
inner join {{ ref('persona_dimensions') }} as dimensions using (survey, dimension_id)
left join edges using (survey, network, dimension_id)
order by cells.survey, cells.network, cells.dimension_id
