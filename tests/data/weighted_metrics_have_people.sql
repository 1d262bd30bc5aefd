{{ config(severity='warn') }}
-- Survey weights that leave a metric to fewer than 30 people: it is theirs, whatever its interval says.
select * from {{ ref('metrics') }} where weighting = 'survey' and n_eff < 30
