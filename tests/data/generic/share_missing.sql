{#- One row where more than `at_most` of a column is missing; with `by`, one per group. -#}
select
    {{ by ~ ', ' if by is defined else '' }}count(*) as n_rows,
    count(*) filter ({{ column_name }} is null) / count(*) as share
from {{ model }} as r
{{ 'group by ' ~ by if by is defined else '' }}
having count(*) filter ({{ column_name }} is null) / count(*) > {{ at_most }}
