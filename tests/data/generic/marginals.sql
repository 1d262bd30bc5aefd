{#- Values whose weighted share is further from its target than the tolerance, or that have no target.
    targets: {Female: 0.52, Male: 0.48}; tolerance: 0.03; weight: a column (by default all count
    alike); missing values are left out of the shares. -#}
with counted as (
    select cast({{ column_name }} as varchar) as value, sum({{ weight | default('1') }}) as weighted
    from {{ model }} as r
    where {{ column_name }} is not null
    group by 1
),
shares as (
    select value, weighted / sum(weighted) over () as share from counted
),
targets (value, target) as (
    values
    {% for value, target in targets.items() -%}
    ('{{ value | string | replace("'", "''") }}', {{ target }}){{ ',' if not loop.last }}
    {% endfor %}
)
select coalesce(s.value, t.value) as value, coalesce(s.share, 0) as share, t.target
from shares as s
full join targets as t using (value)
where t.target is null or abs(coalesce(s.share, 0) - t.target) > {{ tolerance | default(0.05) }}
