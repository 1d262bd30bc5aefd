{#- One row where more than `at_most` of the responses to what was asked is refused or "don't know";
    with `by`, one per group. The column is a status as `responses` has it. -#}
select
    {{ by ~ ', ' if by is defined else '' }}count(*) as n_asked,
    count(*) filter ({{ column_name }} in ('refused', 'dont_know')) / count(*) as share
from {{ model }} as r
where {{ column_name }} <> 'not_asked'
{{ 'group by ' ~ by if by is defined else '' }}
having count(*) filter ({{ column_name }} in ('refused', 'dont_know')) / count(*) > {{ at_most }}
