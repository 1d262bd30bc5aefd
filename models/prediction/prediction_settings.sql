{{ config(materialized='table') }}
{#- A var that is one text or a list of them, as a list of SQL texts. -#}
{%- macro texts(value) -%}
    {%- for one in ([value] if value is string else value) -%}
    '{{ one | string | replace("'", "''") }}'{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro -%}
{#- The aliases that are known to be so, as a list of SQL texts. -#}
{%- macro those(what) -%}
    {%- for name, llm in llms.items() if {
        'with log-probabilities': llm.logprobs, 'without': not llm.logprobs, 'small': llm.profile == 'small',
        'always alike': not llm.sampled,
    }[what] -%}
    '{{ name | replace("'", "''") }}'{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro -%}
-- The settings that are asked: the rows of seeds/settings.csv that the var `prediction_settings` names,
-- a row for each LLM of theirs. It needs no LLM, so that a setting which is not there, or says what no
-- setting can say, is an error before anything is paid for.

with wanted as (
    select unnest([{{ texts(var('prediction_settings', ['history', 'everything'])) }}]::varchar[]) as setting
),

-- Columns that a file does not have are blank: it may be one's own, or of an earlier version.
given as (
    select
        {% for column in [
            'setting', 'history', 'demographics', 'persona', 'representation', 'levels', 'network', 'retrieval',
            'neighbours', 'thought', 'option_order', 'distribution', 'repeats', 'llms',
        ] %}
        null::varchar as {{ column }}{{ ',' if not loop.last }}
        {% endfor %}
    where false
    union all by name
    from {{ ref('settings') }}
),

known as (
    select
        cast(setting as varchar) as setting,
        coalesce(cast(history as boolean), false) as history,
        coalesce(cast(demographics as boolean), false) as demographics,
        coalesce(lower(trim(cast(persona as varchar))), 'none') as persona,
        coalesce(nullif(lower(trim(cast(representation as varchar))), ''), 'name+certainty') as representation,
        coalesce(lower(trim(cast(levels as varchar))), 'low mid high') as levels,
        nullif(trim(network), '') as network,
        nullif(trim(retrieval), '') as retrieval,
        coalesce(lower(trim(cast(neighbours as varchar))), 'none') as neighbours,
        coalesce(cast(thought as boolean), false) as thought,
        coalesce(lower(trim(cast(option_order as varchar))), 'given') as option_order,
        coalesce(nullif(lower(trim(distribution)), ''), 'auto') as distribution,
        cast(repeats as bigint) as repeats,
        trim(coalesce(cast(llms as varchar), '')) as llms
    from given
),

chosen as (
    select w.setting as wanted, k.*
    from (select distinct setting from wanted) as w
    left join known as k on k.setting = w.setting
),

-- What is wrong with a row, null if nothing is.
faults as (
    select
        *,
        case
            when setting is null then concat(
                'prediction_settings names ''', wanted, ''', which is not a row of seeds/settings.csv; did you mean ''',
                (select arg_min(k.setting, (levenshtein(k.setting, wanted), k.setting)) from known as k), '''?'
            )
            when (select count(*) from known as k where k.setting = wanted) > 1
                then concat('seeds/settings.csv: ''', wanted, ''' appears twice')
            when persona not in ('none', 'raw', 'refined')
                then concat('seeds/settings.csv, ', wanted, ': persona is none, raw or refined, not ''', persona, '''')
            when not regexp_full_match(representation, '(description|name|value)(\+candidates|\+certainty)*')
                then concat(
                    'seeds/settings.csv, ', wanted, ': representation is description, name or value, ',
                    'each also with +candidates and +certainty, not ''', representation, ''''
                )
            when not list_has_all(['low', 'mid', 'high'], string_split_regex(levels, '[\s,]+'))
                then concat('seeds/settings.csv, ', wanted, ': levels are low, mid and high, not ''', levels, '''')
            when persona = 'raw' and lower(network) <> 'none'
                then concat(
                    'seeds/settings.csv, ', wanted, ': raw personas have no network, and network is ''', network, ''''
                )
            when neighbours not in ('none', 'bare', 'answers', 'common', 'distribution')
                then concat(
                    'seeds/settings.csv, ', wanted,
                    ': neighbours is none, bare, answers, common or distribution, not ''', neighbours, ''''
                )
            when option_order not in ('given', 'shuffled')
                then concat('seeds/settings.csv, ', wanted, ': option_order is given or shuffled, not ''', option_order, '''')
            when distribution not in ('auto', 'logprobs', 'stated', 'draws', 'none')
                then concat(
                    'seeds/settings.csv, ', wanted,
                    ': distribution is auto, logprobs, stated, draws or none, not ''', distribution, ''''
                )
            when thought and distribution = 'logprobs'
                then concat(
                    'seeds/settings.csv, ', wanted, ': after a thought an answer has no log-probabilities worth reading; ',
                    'distribution is stated, draws or none'
                )
            when repeats < 1
                then concat('seeds/settings.csv, ', wanted, ': repeats is 1 or more, not ', repeats)
            when distribution = 'draws' and repeats = 1
                then concat('seeds/settings.csv, ', wanted, ': one draw is not a distribution; repeats is 2 or more, or blank')
        end as fault
    from chosen
),

asked as (
    select
        * replace (
            string_split_regex(levels, '[\s,]+') as levels,
            coalesce(repeats, if(distribution = 'draws', {{ var('draws', 5) }}, 1)) as repeats
        ),
        unnest(list_distinct(
            if(llms = '', [{{ texts(var('predictor', 'default')) }}], string_split_regex(llms, '[\s,]+'))
        )) as llm
    from faults
    where if(fault is null, true, error(fault))
),

-- What 'auto' comes to: log-probabilities where the LLM may be expected to give them, else probabilities
-- in so many words, which are asked after a thought, too. A small LLM has none to say.
decided as (
    select * replace (
        case
            when distribution <> 'auto' then distribution
            when list_contains([{{ those('with log-probabilities') }}]::varchar[], llm) and not thought then 'logprobs'
            when list_contains([{{ those('small') }}]::varchar[], llm) then 'none'
            when thought or list_contains([{{ those('without') }}]::varchar[], llm) then 'stated'
            else 'logprobs'
        end as distribution
    )
    from asked
)

select
    setting, history, demographics, persona, representation, levels, network, retrieval, neighbours,
    thought, option_order, distribution, repeats, llm
from decided
where if(
    distribution = 'draws' and list_contains([{{ those('always alike') }}]::varchar[], llm),
    error(concat(
        'seeds/settings.csv, ', setting, ': draws of llm ''', llm, ''' are all alike at temperature 0; ',
        'give it a temperature, or name an alias that has one under llms'
    )),
    true
)
