{{ config(materialized='table') }}
-- Who can be similar to whom. A reference respondent may be anybody's neighbour. Where personas are
-- compared, those whose persona is inferred are looked at; where they are not, everyone is, and
-- neighbours are wanted (`asked`) of those and of respondents with a held-out pair.

with pairs as (
    select distinct survey, respondent_id
    from {{ ref('known_responses') }}
    where role in ('test', 'tuning')
)

select
    h.survey,
    h.respondent_id,
    h.role,
    l.respondent_id is not null as has_persona,
    l.respondent_id is not null or p.respondent_id is not null as asked
from {{ ref('histories') }} as h
left join {{ ref('llm_respondents') }} as l using (survey, respondent_id)
left join pairs as p using (survey, respondent_id)
