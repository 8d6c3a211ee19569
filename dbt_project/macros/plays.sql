{#- Whether an event says that something is played: to open an item is not to play it,
    and a citation is the assistant's. A play id is sent of videos only; whether the item
    of an event without one is a video has to be asked besides. -#}
{% macro is_sign_of_playing() -%}
    event_type = 'content_access'
    and coalesce(action, 'open') <> 'cite'
    and (
        play_id is not null
        or action in ('play', 'progress', 'pause', 'seek', 'complete')
        or position_seconds is not null
        or to_seconds is not null
        or percent is not null
    )
{%- endmacro %}


{#- The play that an event belongs to: that of its play id, else its session's of the
    item. -#}
{% macro play_key() -%}
    case
        when play_id is not null
            then md5(concat_ws('|', capsule_id, 'play', play_id))
        else md5(concat_ws('|', session_key, coalesce(content_id, 'unknown')))
    end
{%- endmacro %}
