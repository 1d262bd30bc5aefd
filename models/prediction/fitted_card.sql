{{ config(materialized='view') }}
-- The card of what is fitted: what each predictor is, what it learned of, and the hash of what it keeps.

select
    f.survey, f.predictor, p.title, p.code, p.cost,
    f.n as people, null::bigint as tuning_pairs, null::varchar[] as parts,
    f.size, sha256(f.state) as sha256
from {{ ref('fitted_predictors') }} as f
left join {{ ref('predictors') }} as p using (predictor)

union all by name

select
    s.survey, s.predictor, p.title, p.code, s.n as tuning_pairs, s.parts,
    s.size, sha256(s.state) as sha256
from {{ ref('fitted_stack') }} as s
left join {{ ref('predictors') }} as p using (predictor)
