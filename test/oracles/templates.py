"""Writes test/tokenizer/templates.json: chat templates of our own, in the manner of those that are published, and single constructs,
with what jinja2 makes of them. Run in this folder: python templates.py
"""
import copy
import json
import warnings

from sandbox import render

warnings.simplefilter("ignore")

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Says the weather of a \"place\".",
            "parameters": {
                "type": "object",
                "properties": {
                    "place": {"type": "string", "description": "Where, e.g. Zürich"},
                    "unit": {"type": "string", "enum": ["C", "F"], "default": "C"},
                    "days": {"type": "array", "items": {"type": "integer"}},
                    "items": {"type": ["number", "null"]},
                },
                "required": ["place"],
            },
        },
    },
    {"type": "function", "function": {"name": "now", "description": "", "parameters": {"type": "object", "properties": {}}}},
]
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": {"place": "Bern", "days": [1, 2], "exact": True, "at": None}}}
CONVERSATIONS = {
    "one": {"messages": [{"role": "user", "content": "Hi!"}], "add_generation_prompt": True},
    "many": {
        "messages": [
            {"role": "system", "content": " Be brief. "},
            {"role": "user", "content": "Héllo\n"},
            {"role": "assistant", "content": "Good <day> & \"you\"? 😀"},
            {"role": "user", "content": "  'Fine'.  "},
        ],
        "add_generation_prompt": True,
    },
    "answered": {
        "messages": [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "<think>\nEasy.\n</think>\n\nTwo."}],
        "add_generation_prompt": False,
    },
    "tools": {
        "messages": [
            {"role": "system", "content": "Use tools."},
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
            {"role": "tool", "name": "weather", "tool_call_id": "call_1", "content": "{\"sky\": \"blue\"}"},
            {"role": "tool", "name": "now", "content": "12:00"},
        ],
        "tools": TOOLS,
        "add_generation_prompt": True,
    },
    "parts": {
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "Look."}]},
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "x.png"}}]},
            {"role": "assistant", "content": [{"type": "text", "text": "A cat."}], "reasoning_content": "Fur.\n"},
            {"role": "user", "content": "Sure?"},
        ],
        "add_generation_prompt": True,
        "enable_thinking": False,
    },
}

FAMILIES = {
    "chatml": "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "chatml-lines": """{%- for message in messages -%}
    {{- '<|im_start|>' + message.role + '\n' -}}
    {%- if message.content is string -%}
        {{- message.content | trim -}}
    {%- else -%}
        {%- for part in message.content if part.type == 'text' -%}{{ part.text }}{%- endfor -%}
    {%- endif -%}
    {{- '<|im_end|>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|im_start|>assistant\n' -}}
{%- endif -%}
""",
    "instruction-pairs": """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}""",
    "headers": "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
    "headers-tools": """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not tools_in_user_message is defined %}
    {%- set tools_in_user_message = true %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- The system message, pulled out. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}

{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Today Date: " + date_string + "\\n\\n" }}
{%- if tools is not none and not tools_in_user_message %}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}

{%- if tools_in_user_message and not tools is none %}
    {%- if messages | length != 0 %}
        {%- set first_user_message = messages[0]['content']|trim %}
        {%- set messages = messages[1:] %}
    {%- else %}
        {{- raise_exception("Cannot put tools in the first user message when there's no first user message!") }}
{%- endif %}
    {{- '<|start_header_id|>user<|end_header_id|>\\n\\n' -}}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
    {{- first_user_message + "<|eot_id|>"}}
{%- endif %}

{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
        {{- '{"name": "' + tool_call.name + '", ' }}
        {{- '"parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}" }}
        {{- "<|eot_id|>" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
""",
    "tool-tags": """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0]['role'] == 'system' %}
        {{- messages[0]['content'] }}
    {%- else %}
        {{- 'You are a helpful assistant.' }}
    {%- endif %}
    {{- "\\n\\n# Tools\\n\\nYou are provided with function signatures within <tools></tools> XML tags:\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools>\\n\\nReturn <tool_call>\\n{\\"name\\": <function-name>, \\"arguments\\": <args-json-object>}\\n</tool_call><|im_end|>\\n" }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}
            {{- '\\n' + message.content }}
        {%- endif %}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}
                {%- set tool_call = tool_call.function %}
            {%- endif %}
            {{- '\\n<tool_call>\\n{"name": "' }}
            {{- tool_call.name }}
            {{- '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- message.content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
""",
    "thinking": """{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index %}
            {%- if loop.last or (not loop.last and reasoning_content) %}
                {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
            {%- else %}
                {{- '<|im_start|>' + message.role + '\\n' + content }}
            {%- endif %}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {%- if message.tool_calls %}
            {%- for tool_call in message.tool_calls %}
                {%- if (loop.first and content) or (not loop.first) %}
                    {{- '\\n' }}
                {%- endif %}
                {%- if tool_call.function %}
                    {%- set tool_call = tool_call.function %}
                {%- endif %}
                {{- '<tool_call>\\n{"name": "' }}
                {{- tool_call.name }}
                {{- '", "arguments": ' }}
                {%- if tool_call.arguments is string %}
                    {{- tool_call.arguments }}
                {%- else %}
                    {{- tool_call.arguments | tojson }}
                {%- endif %}
                {{- '}\\n</tool_call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}""",
    "turns-first-system": """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '\n\n' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '\n\n' -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}
    {%- endif -%}
    {%- if (message['role'] == 'assistant') -%}
        {%- set role = "model" -%}
    {%- else -%}
        {%- set role = message['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '\n' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'image' -%}
                {{ '<start_of_image>' }}
            {%- elif item['type'] == 'text' -%}
                {{ item['text'] | trim }}
            {%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("Invalid content type") }}
    {%- endif -%}
    {{ '<end_of_turn>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{'<start_of_turn>model\n'}}
{%- endif -%}
""",
    "bracket-tools": """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or message.role == "tool_results" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("After the optional system message, conversation roles must alternate") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[AVAILABLE_TOOLS] [" }}
            {%- for tool in tools %}
                {%- set tool = tool.function %}
                {{- '{"type": "function", "function": {' }}
                {%- for key, val in tool.items() if key != "return" %}
                    {%- if val is string %}
                        {{- '"' + key + '": "' + val + '"' }}
                    {%- else %}
                        {{- '"' + key + '": ' + val|tojson }}
                    {%- endif %}
                    {%- if not loop.last %}
                        {{- ", " }}
                    {%- endif %}
                {%- endfor %}
                {{- "}}" }}
                {%- if not loop.last %}
                    {{- ", " }}
                {%- else %}
                    {{- "]" }}
                {%- endif %}
            {%- endfor %}
            {{- "[/AVAILABLE_TOOLS]" }}
            {%- endif %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " ~ message["content"] ~ "[/INST]" }}
        {%- endif %}
    {%- elif message.tool_calls is defined and message.tool_calls is not none %}
        {{- "[TOOL_CALLS] [" }}
        {%- for tool_call in message.tool_calls %}
            {%- set out = tool_call.function|tojson %}
            {{- out[:-1] }}
            {{- ', "id": "' + tool_call.id + '"}' }}
            {%- if not loop.last %}{{- ", " }}{%- else %}{{- "]" + eos_token }}{%- endif %}
        {%- endfor %}
    {%- elif message["role"] == "assistant" %}
        {{- " " ~ message["content"] ~ eos_token }}
    {%- elif message["role"] == "tool_results" or message["role"] == "tool" %}
        {%- if message.content is defined and message.content.content is defined %}
            {%- set content = message.content.content %}
        {%- else %}
            {%- set content = message.content %}
        {%- endif %}
        {{- '[TOOL_RESULTS] {"content": ' + content|string + ", " }}
        {{- '"call_id": "' + message.tool_call_id|default('none') + '"}[/TOOL_RESULTS]' }}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported") }}
    {%- endif %}
{%- endfor %}
""",
    "typescript": """{%- macro render_type(spec, required=false) -%}
    {%- if spec.type == "array" -%}
        {%- if spec['items'] -%}{{ render_type(spec['items']) + "[]" }}{%- else -%}any[]{%- endif -%}
    {%- elif spec.type is defined and spec.type is iterable and spec.type is not string -%}
        {%- if "null" in spec.type -%}{{ spec.type | reject('equalto', 'null') | join(" | ") }} | null{%- else -%}{{ spec.type | join(" | ") }}{%- endif -%}
    {%- elif spec.enum -%}
        {{- '"' + spec.enum | join('" | "') + '"' -}}
    {%- elif spec.type in ["integer", "number"] -%}
        {{- "number" }}
    {%- elif spec.type == "object" -%}
        {{- "{\\n" }}
        {%- for name, prop in spec.properties.items() -%}
            {{ name }}{{ "?" if name not in (spec.required or []) }}: {{ render_type(prop) }}{{ ", " if not loop.last }}
        {%- endfor -%}
        {{- "}" }}
    {%- else -%}
        {{- spec.type | default("any") }}
    {%- endif -%}
{%- endmacro -%}
{%- macro render_tools(namespace_name, tools) -%}
    {{- "## " + namespace_name + "\\n\\nnamespace " + namespace_name + " {\\n\\n" }}
    {%- for tool in tools %}
        {%- set tool = tool.function %}
        {{- "// " + (tool.description or 'none') + "\\n" }}
        {{- "type "+ tool.name + " = " }}
        {%- if tool.parameters and tool.parameters.properties %}
            {{- "(_: {\\n" }}
            {%- for param_name, param_spec in tool.parameters.properties.items() %}
                {%- if param_spec.description %}
                    {{- "// " + param_spec.description + "\\n" }}
                {%- endif %}
                {{- param_name }}
                {%- if param_name not in (tool.parameters.required or []) -%}
                    {{- "?" }}
                {%- endif -%}
                {{- ": " }}
                {{- render_type(param_spec) }}
                {%- if param_spec.default is defined -%}
                    {%- if param_spec.enum %}
                        {{- ", // default: " + param_spec.default }}
                    {%- else %}
                        {{- ", // default: " + param_spec.default|tojson }}
                    {%- endif %}
                {%- endif -%}
                {{- ",\\n" if not loop.last else "\\n" }}
            {%- endfor %}
            {{- "}) => any;\\n\\n" }}
        {%- else -%}
            {{- "() => any;\\n\\n" }}
        {%- endif -%}
    {%- endfor %}
    {{- "} // namespace " + namespace_name }}
{%- endmacro -%}
{{- "<|start|>system<|message|>" -}}
Current date: {{ strftime_now("%Y-%m-%d") }}
{% if tools %}{{ render_tools("functions", tools) }}{% endif -%}
{{- "<|end|>" }}
{%- for m in messages -%}
    {%- if m.role == 'assistant' and m.tool_calls -%}
        {%- for call in m.tool_calls -%}<|start|>assistant to=functions.{{ call.function.name }}<|message|>{{ call.function.arguments|tojson }}<|call|>{%- endfor -%}
    {%- elif loop.previtem is defined and loop.previtem.role == m.role -%}
        <|again|>{{ m.content }}
    {%- else -%}
        <|start|>{{ m.role }}<|message|>{{ m.content if m.content is string else m.content | map(attribute='text', default='?') | join('|') }}<|end|>
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<|start|>assistant{%- endif -%}
""",
    "image-pads": """{% set image_count = namespace(value=0) %}{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system
You are a helpful assistant.<|im_end|>
{% endif %}<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}<|im_end|>
{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}""",
    "reasoner": "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% set ns = namespace(is_first=false, is_tool=false, is_output_first=true, system_prompt='') %}{%- for message in messages %}{%- if message['role'] == 'system' %}{% set ns.system_prompt = message['content'] %}{%- endif %}{%- endfor %}{{bos_token}}{{ns.system_prompt}}{%- for message in messages %}{%- if message['role'] == 'user' %}{%- set ns.is_tool = false -%}{{'<|User|>' + message['content']}}{%- endif %}{%- if message['role'] == 'assistant' and message['content'] is not none and not message.tool_calls %}{%- if ns.is_tool %}{{'<|outputs_end|>' + message['content'] + '<|end|>'}}{%- set ns.is_tool = false -%}{%- else %}{% set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{'<|Assistant|>' + content + '<|end|>'}}{%- endif %}{%- endif %}{%- if message['role'] == 'assistant' and message.tool_calls %}{%- set ns.is_tool = false -%}{%- for tool in message['tool_calls']%}{%- if not ns.is_first %}{{'<|Assistant|><|calls|>' + tool['type'] + '<|sep|>' + tool['function']['name'] + '\\n```json\\n' + tool['function']['arguments']|tojson + '\\n```'}}{%- set ns.is_first = true -%}{%- endif %}{%- endfor %}{%- endif %}{%- if message['role'] == 'tool' %}{%- set ns.is_tool = true -%}{%- if ns.is_output_first %}{{'<|outputs|>' + message['content']}}{%- set ns.is_output_first = false %}{%- else %}{{'\\n<|output|>' + message['content']}}{%- endif %}{%- endif %}{%- endfor -%}{% if ns.is_tool %}{{'<|outputs_end|>'}}{% endif %}{% if add_generation_prompt and not ns.is_tool %}{{'<|Assistant|><think>\\n'}}{% endif %}",
    "generation-tags": """{%- for message in messages %}
    {%- if message.role == 'assistant' %}
        {%- generation %}
            {{- '<|assistant|>' ~ message.content ~ eos_token }}
        {%- endgeneration %}
    {%- else %}
        {{- '<|' ~ message.role ~ '|>' ~ message.content }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}""",
    "alpaca": """{% if messages[0].role == 'system' %}{{ messages[0].content }}

{% endif %}
{% for message in messages %}
{% if message['role'] == 'user' %}
### Instruction:
{{ message['content']|trim -}}
{% if not loop.last %}


{% endif %}
{% elif message['role'] == 'assistant' %}
### Response:
{{ message['content']|trim -}}
{% if not loop.last %}


{% endif %}
{% endif %}
{% endfor %}
{% if add_generation_prompt and messages[-1]['role'] != 'assistant' %}
### Response:
{% endif %}
""",
    "vicuna": "{% for message in messages %}{% if message.role == 'system' %}{{ message.content + ' ' }}{% elif message.role == 'user' %}USER: {{ message.content }} {% else %}ASSISTANT: {{ message.content }}{{ eos_token }}{% endif %}{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}",
    "zephyr": "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n{{ '<|system|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}",
    "command-tools": """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = '## Task' %}{% endif %}{{ '<|SYSTEM|>' }}{{ system_message }}{% for tool in tools or [] %}{% if loop.first %}{{ '\n\n## Tools\n' }}{% endif %}{%- macro json_to_python_type(json_spec) %}{%- set basic_type_map = {"string": "str", "number": "float", "integer": "int", "boolean": "bool"} %}{%- if basic_type_map[json_spec.type] is defined %}{{- basic_type_map[json_spec.type] }}{%- elif json_spec.type == "array" %}{{- "List[" + json_to_python_type(json_spec['items']) + "]"}}{%- elif json_spec.type == "object" %}{{- 'Dict'}}{%- elif json_spec.type is iterable and json_spec.type is not string %}{{- "Union[" }}{%- for t in json_spec.type %}{{- json_to_python_type({"type": t}) }}{%- if not loop.last %}{{- "," }}{%- endif %}{%- endfor %}{{- "]" }}{%- else %}{{- "Any" }}{%- endif %}{%- endmacro %}def {{ tool.function.name }}({% for name, spec in tool.function.parameters.properties.items() %}{{ name }}: {% if name in tool.function.parameters.required %}{{ json_to_python_type(spec) }}{% else %}Optional[{{ json_to_python_type(spec) }}] = None{% endif %}{% if not loop.last %}, {% endif %}{% endfor %}){{ '\n' }}{% endfor %}{% for message in loop_messages %}{{ '<|' + message['role']|upper + '|>' }}{% if message.tool_calls %}{{ message.tool_calls|map(attribute='function')|list|tojson(indent=2)|replace('\n', '\n    ') }}{% else %}{{ message['content'] if message['content'] is string else message['content']|tojson }}{% endif %}{{ '<|END|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|CHATBOT|>' }}{% endif %}""",
    "xml-tools": """{% macro render_extra_keys(json_dict, handled_keys) %}
    {%- if json_dict is mapping %}
        {%- for json_key in json_dict if json_key not in handled_keys %}
            {%- if json_dict[json_key] is mapping or (json_dict[json_key] is sequence and json_dict[json_key] is not string) %}
                {{- '\\n<' ~ json_key ~ '>' ~ (json_dict[json_key] | tojson | safe) ~ '</' ~ json_key ~ '>' }}
            {%- else %}
                {{- '\\n<' ~ json_key ~ '>' ~ (json_dict[json_key] | string) ~ '</' ~ json_key ~ '>' }}
            {%- endif %}
        {%- endfor %}
    {%- endif %}
{% endmacro %}
{%- if tools is iterable and tools | length > 0 %}
    {{- "# Tools\\n<tools>" }}
    {%- for tool in tools %}
        {%- if tool.function is defined %}{%- set tool = tool.function %}{%- endif %}
        {{- "\\n<function>\\n<name>" ~ tool.name ~ "</name>" }}
        {%- if tool.description is defined %}
            {{- '\\n<description>' ~ (tool.description | trim) ~ '</description>' }}
        {%- endif %}
        {%- if tool.parameters is defined and tool.parameters is mapping and tool.parameters.properties is defined and tool.parameters.properties is mapping %}
            {%- for param_name, param_fields in tool.parameters.properties|items %}
                {{- '\\n<parameter>' ~ '\\n<name>' ~ param_name ~ '</name>' }}
                {%- if param_fields.type is defined %}
                    {{- '\\n<type>' ~ (param_fields.type | string) ~ '</type>' }}
                {%- endif %}
                {%- set handled_keys = ['name', 'type', 'description'] %}
                {{- render_extra_keys(param_fields, handled_keys) }}
                {{- '\\n</parameter>' }}
            {%- endfor %}
        {%- endif %}
        {{- render_extra_keys(tool.parameters, ['type', 'properties']) }}
        {{- '\\n</function>' }}
    {%- endfor %}
    {{- "\\n</tools>" }}
{%- endif %}
{%- for message in messages %}
    {%- if message.tool_calls is defined and message.tool_calls is iterable and message.tool_calls | length > 0 %}
        {%- for tool_call in message.tool_calls %}
            {{- '<tool_call>\\n<function=' + tool_call.function.name + '>\\n' }}
            {%- for args_name, args_value in tool_call.function.arguments|items %}
                {{- '<parameter=' + args_name + '>\\n' }}
                {%- set args_value = args_value | tojson | safe if args_value is mapping or (args_value is sequence and args_value is not string) else args_value | string %}
                {{- args_value }}
                {{- '\\n</parameter>\\n' }}
            {%- endfor %}
            {{- '</function>\\n</tool_call>' }}
        {%- endfor %}
    {%- elif message.content is string %}
        {{- message.role ~ ': ' ~ message.content|e }}
    {%- else %}
        {{- message.content|selectattr('type', 'equalto', 'text')|map(attribute='text')|join(' ') }}
    {%- endif %}
{%- endfor %}
""",
    "call-blocks": """{% macro turn(role, last=false) %}
<{{ role }}>{{ caller(role|length) }}</{{ role }}>{% if last %}
.{% endif %}
{% endmacro %}
{% for m in messages %}
{% call(n) turn(m.role, last=loop.last) %}{{ n }}:{{ m.content }}{% endcall %}
{% endfor %}
""",
    "filter-blocks": """{% filter trim|upper %}
  {% for m in messages %}
  {% set line %}{{ loop.index }}/{{ loop.length }} {{ m.role|capitalize }}{% endset %}
  {{ line.center(20, '-') }}
  {% if loop.nextitem is defined and loop.nextitem.role == 'tool' %}
  next: tool
  {% endif %}
  {% endfor %}
{% endfilter %}
""",
    "granite": """{%- set tools = tools or [] %}{%- set documents = documents or [] %}
{%- if messages[0]['role'] == 'system' %}{%- set system_message = messages[0]['content'] %}{%- set loop_messages = messages[1:] %}
{%- else %}{%- set system_message = "Knowledge Cutoff Date: April 2024.\nToday's Date: " + strftime_now('%B %d, %Y') + ".\nYou are a model." %}
{%- if tools and documents %}{%- set system_message = system_message + " Both." %}{%- elif tools %}{%- set system_message = system_message + " Tools." %}{%- endif %}
{%- set loop_messages = messages %}{%- endif %}
{{- '<|start_of_role|>system<|end_of_role|>' + (system_message if system_message is string else system_message[0].text) + '<|end_of_text|>\n' }}
{%- if tools %}{{- '<|start_of_role|>tools<|end_of_role|>' }}{{- tools | tojson(indent=4) }}{{- '<|end_of_text|>\n' }}{%- endif %}
{%- for message in loop_messages %}{{- '<|start_of_role|>' + message['role'] + '<|end_of_role|>' ~ message['content'] ~ '<|end_of_text|>\n' }}
{%- if loop.last and add_generation_prompt %}{{- '<|start_of_role|>assistant' }}{%- if controls %}{{- ' ' + controls | tojson() }}{%- endif %}{{- '<|end_of_role|>' }}{%- endif %}{%- endfor %}""",
    "date-ranges": """{%- set today = strftime_now('%A, %-d %B %Y') -%}
{%- set parts = strftime_now('%Y-%m-%d').split('-') | map('int') | list -%}
Today is {{ today }} ({{ '%02d/%02d/%d' | format(parts[2], parts[1], parts[0]) }}, week {{ strftime_now('%V') }}, day {{ strftime_now('%j') }}).
{% for message in messages if message.role != 'system' -%}
{{ '%-9s' % message.role }}|{{ message.content | string | truncate(12, true, '…', 0) }}|{{ message.content | length }}|{{ message.content | string | wordcount }}
{% else -%}
nothing
{% endfor -%}
""",
    "no-roles": "{%- if messages|selectattr('role', 'ne', 'user')|list|count -%}{{ raise_exception('only ' ~ (messages|map(attribute='role')|unique|sort|join(', '))) }}{%- endif -%}{{ messages|map(attribute='content')|join('\n') }}{{ eos_token }}",
    "summary": """{%- for role, group in messages|groupby('role') -%}
{{ role }} x{{ group|length }}: {{ group|map(attribute='content')|map('string')|map('length')|join('+') }}={{ group|map(attribute='content')|map('string')|map('length')|sum }}
{% endfor -%}
{{ messages|map(attribute='role')|batch(2, '-')|map('join', ',')|join(';') }} {{ messages[::2]|map(attribute='role')|list }} {{ (messages|last).role }} {{ (messages|first)['role'][0] }}
{{ messages[0]|dictsort|map('first')|list }} {{ messages|rejectattr('tool_calls', 'defined')|list|length }}
""",
}

# Single constructs: each shows what differs between jinja2 and what one would write in JavaScript.
CONSTRUCTS = {
    "print-constants": "{{ true }} {{ none }} {{ 1.0 }} {{ 1e16 }} {{ 1e-7 }} {{ 123456789012345678901234567890 }} {{ [] }} {{ {} }} {{ () }} {{ (1,) }} {{ -0.0 }}",
    "print-nested": "{{ {'a': [1, 'it\\'s', \"q\\\"\", none, true, 2.50], 'b': {'c': ('x',)}, 1: 'é😀\\n\\x07'} }}",
    "arithmetic": "{{ -7 // 2 }} {{ -7 % 3 }} {{ 7 // -2 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 7 / 2 }} {{ 6 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 2 ** 70 }} {{ 9007199254740993 + 1 }} {{ 'ab' * 3 }} {{ [1] * 2 + [0] }} {{ true + 1 }} {{ -2 ** 2 }} {{ 10 % 3.5 }}",
    "comparison": "{{ 1 == 1.0 }} {{ '1' == 1 }} {{ true == 1 }} {{ [1, [2]] == [1, [2]] }} {{ {'a': 1} == {'a': 1.0} }} {{ (1, 2) == [1, 2] }} {{ 'a' < 'b' }} {{ 'Z' < 'a' }} {{ [1, 2] < [1, 3] }} {{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ none == false }} {{ '😀' > '\\uffff' }}",
    "membership": "{{ 'a' in 'cat' }} {{ 'x' not in ['y'] }} {{ 'role' in messages[0] }} {{ 2 in range(0, 9, 2) }} {{ 1 in {1.0: 2} }} {{ 'a' in missing }} {{ '' in 'a' }}",
    "logic": "{{ '' or 'b' }} {{ 'a' and 0 }} {{ not [] }} {{ none or missing or 'c' }} {{ not not 'x' }} {{ 1 and 2 or 3 }}",
    "slices": "{{ 'abcdef'[1:4] }} {{ 'abcdef'[::-1] }} {{ 'abcdef'[-3:] }} {{ [1,2,3,4][::2] }} {{ [1,2,3][5:] }} {{ 'a😀b'[1] }} {{ 'a😀b'|length }} {{ 'abc'[-1] }} {{ (1,2,3)[:2] }} {{ range(10)[2:8:3]|list }} {{ 'abc'[9] }}|",
    "undefined": "[{{ missing }}] [{{ messages[0].nope }}] [{{ messages[9] }}] {{ missing is defined }} {{ missing|default('d') }} {{ messages[0].nope|default('e') }} {{ ''|default('f') }} {{ ''|default('f', true) }} {{ missing|length }} {{ missing|list }} {{ missing == missing2 }} {{ missing|upper }}|{{ missing ~ 'x' }}{% for x in missing %}y{% endfor %}",
    "undefined-attribute": "{{ missing.a }}",
    "undefined-item": "{{ messages[0].nope.a }}",
    "undefined-add": "{{ missing + 'a' }}",
    "none-attribute": "[{{ none.a }}] [{{ tools.a }}]",
    "methods-first": "{% set d = {'items': 1, 'keys': 2, 'get': 3, 'x': 4} %}{{ d['items'] }} {{ d.items() | list }} {{ d.get('x') }} {{ d.get('y', 'n') }} {{ d['get'] }} {{ d.keys() }} {{ d.values() | list }}",
    "dict-views": "{{ {'a': 1}.items() }} {{ {'a': 1}.keys() }} {{ {'a': 1}.values() }} {{ {'a': 1}.items()[0] }}| {{ {'a': 1}.items()|length }} {{ {'a': 1, 'b': 2}|first }} {{ {'a': 1, 'b': 2}|last }}",
    "immutable-append": "{% set l = [] %}{{ l.append(1) }}",
    "immutable-update": "{% set d = {} %}{{ d.update({'a': 1}) }}",
    "immutable-show": "[{{ [].append }}] [{{ {}.pop }}] [{{ ''.__class__ }}]",
    "private": "{{ ''.__class__.__mro__ }}",
    "string-methods": "{{ 'a,b,,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a b c'.split(' ', 1) }} {{ 'a.b.c'.rsplit('.', 1) }} {{ 'x\\ny\\r\\nz'.splitlines() }} {{ 'xxaxx'.strip('x') }} {{ 'abc'.startswith(('x', 'a')) }} {{ 'abc'.endswith('bc') }} {{ 'banana'.find('n') }} {{ 'banana'.rfind('n') }} {{ 'banana'.count('an') }} {{ 'banana'.replace('a', 'o', 2) }} {{ '-'.join(['a', 'b']) }} {{ \"they're bill's\".title() }} {{ 'hELLO'.capitalize() }} {{ 'a=b=c'.partition('=') }} {{ 'a=b=c'.rpartition('=') }} {{ '12'.isdigit() }} {{ '-7'.zfill(4) }} {{ 'x_y'.removeprefix('x_') }} {{ 'x_y'.removesuffix('_y') }} {{ 'aB'.swapcase() }} {{ 'ab'.ljust(4, '.') }}{{ 'ab'.rjust(4) }} {{ 'Ab'.isupper() }} {{ 'ß'.upper() }} {{ 'a\\tb'.expandtabs(4) }}",
    "string-format": "{{ '%s %d %5.2f %r %-4s| %04d %x %e %g %%' % ('a', 3, 2.5, 'q', 'z', 42, 255, 12345.678, 0.0001) }} {{ '%(a)s' % {'a': 1} }} {{ '{} {1}'.format(1, 2) if false else '{0} {1} {a!r} {b:>5} {c:.2f} {d:,} {e:05d} {f:x} {g:%}'.format(1, 'x', a='q', b='r', c=2.345, d=1234567, e=42, f=255, g=0.25) }} {{ '{0[a]} {1.role}'.format({'a': 1}, messages[0]) }} {{ 'n: %i' | format(3) }}",
    "filters-text": "{{ 'hello world'|title }} {{ ' x '|trim }} {{ 'a-b'|replace('-', '+') }} {{ 'a\\nb\\n\\nc'|indent(2) }} {{ 'a\\nb'|indent('> ', true) }} {{ 'abc'|upper|lower|capitalize }} {{ 'one two three four'|truncate(9) }} {{ 'one two'|wordcount }} {{ 'ab'|center(6) }}| {{ 'a b/c?é'|urlencode }} {{ {'a': 1, 'b': 'x y'}|urlencode }} {{ '<b>&\"x\"</b>'|e }} {{ '<p>a  <b>b</b></p>'|striptags }} {{ 'abc'|reverse }} {{ 'abc'|first }} {{ 'abc'|list }} {{ 12|string ~ 3 }} {{ 'a'|safe + '<' }} {{ '<' + ('b'|e) }}",
    "filters-lists": "{{ [3,1,2]|sort }} {{ ['b','A','c']|sort }} {{ ['b','A']|sort(case_sensitive=true) }} {{ [1,2,3]|sort(reverse=true) }} {{ [1,1,2]|unique|list }} {{ ['a','A']|unique|list }} {{ [1,2,3]|sum }} {{ [1,2,3]|max }} {{ ['b','a']|min }} {{ [1,2,3,4,5]|batch(2)|list }} {{ [1,2,3,4,5]|slice(2)|list }} {{ [1,2]|join('-') }} {{ range(5)|select('odd')|list }} {{ range(5)|reject('odd')|list }} {{ ['a','b']|map('upper')|join }} {{ [1,2,3]|reverse|list }} {{ {'b': 1, 'a': 2}|dictsort }} {{ {'b': 1}|items|list }} {{ [[1,2],[3]]|map('length')|list }} {{ [1,2,3]|last }} {{ []|first }}|{{ ['x', '', 'y']|select|list }}",
    "filters-attributes": "{% set l = [{'n': 'b', 'v': {'w': 2}}, {'n': 'a', 'v': {'w': 1}}, {'n': 'c'}] %}{{ l|map(attribute='n')|list }} {{ l|map(attribute='v.w', default=0)|list }} {{ l|sort(attribute='n')|map(attribute='n')|join }} {{ l|selectattr('v')|list|length }} {{ l|selectattr('n', 'in', ['a', 'c'])|map(attribute='n')|list }} {{ l|rejectattr('v', 'defined')|list }} {{ l|groupby('n')|map('first')|list }} {{ l|sum(attribute='x', start=5) if false else l[:2]|sum(attribute='v.w') }} {{ l|max(attribute='n') }}",
    "filters-numbers": "{{ 2.5|round }} {{ 3.5|round }} {{ 2.675|round(2) }} {{ 1234|round(-2) }} {{ 2.1|round(0, 'ceil') }} {{ 42|round }} {{ '42.7'|int }} {{ 'x'|int }} {{ 'x'|int(-1) }} {{ '0x1f'|int(0, 16) }} {{ '3.5'|float }} {{ 3|float }} {{ -3|abs }} {{ true|int }} {{ 1e3|int }} {{ 1500|filesizeformat }} {{ 3 is odd }} {{ '7'|int + 1 }}",
    "tojson": "{% set v = {'b': [1, 2.0, 'é\"<>&\\n', none, true], 'a': {}} %}{{ v|tojson }} {{ v|tojson(indent=2) }} {{ v|tojson(ensure_ascii=true) }} {{ v|tojson(separators=(',', ':')) }} {{ v|tojson(sort_keys=true) }} {{ (1, 'x')|tojson }} {{ {1: 2, none: 3, true: 4}|tojson }} {{ []|tojson(indent=2) }} {{ 'x'|tojson }} {{ 1e20|tojson }}",
    "tojson-undefined": "{{ missing|tojson }}",
    "tests": "{{ 1 is number }} {{ 1.5 is float }} {{ true is number }} {{ 1 is integer }} {{ true is integer }} {{ 'a' is string }} {{ [] is iterable }} {{ 'a' is iterable }} {{ {} is mapping }} {{ [] is sequence }} {{ 'a' is sequence }} {{ {} is sequence }} {{ none is none }} {{ 4 is divisibleby 2 }} {{ 4 is divisibleby(3) }} {{ 'a' is in ['a'] }} {{ 1 is eq 1 }} {{ 2 is gt 1 }} {{ 'ab' is lower }} {{ true is true }} {{ 1 is true }} {{ range is callable }} {{ 'upper' is filter }} {{ 'odd' is test }} {{ none is sameas none }} {{ 'a'|e is escaped }} {{ 1 is not none }} {{ missing is not defined and true }}",
    "loop": "{% for x in 'abc' %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.cycle('o', 'e') }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.changed(x == 'a') }};{% endfor %}",
    "loop-recursive": "{% for n in [{'v': 1, 'c': [{'v': 2, 'c': [{'v': 3}]}]}, {'v': 4}] recursive %}{{ loop.depth }}:{{ n.v }}{% if n.c %}({{ loop(n.c) }}){% endif %}{% endfor %}",
    "loop-controls": "{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i > 5 %}{% break %}{% endif %}{{ i }}{% endfor %} {% for i in [] %}x{% else %}empty{% endfor %} {% for i in range(6) if i is odd %}{{ i }}/{{ loop.length }} {% endfor %}{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}{% for k, v in {'x': 1}.items() %}{{ k }}{{ v }}{% endfor %}{% for k in {'y': 1} %}{{ k }}{% endfor %}",
    "scopes": "{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set x = 9 %}{% endif %}{{ x }}{% with x = 5, y = x %}{{ x }}{{ y }}{% endwith %}{{ x }}{% macro m() %}{{ x }}{% endmacro %}{% set x = 7 %}{{ m() }}",
    "scope-before-set": "{% macro m() %}[{{ bos_token }}]{% endmacro %}{{ m() }}{% set bos_token = 'B' %}{{ m() }}",
    "namespaces": "{% set ns = namespace(a=1, b=[]) %}{% for i in range(3) %}{% set ns.a = ns.a + i %}{% set ns.b = ns.b + [i] %}{% endfor %}{{ ns.a }} {{ ns.b }} {{ ns.c is defined }} {{ ns }} {% set ns.x, y = 1, 2 %}{{ ns.x }}{{ y }} {% set ns2 = namespace({'q': 1}) %}{{ ns2.q }}",
    "macros": "{% macro f(a, b='d', c=a) %}{{ a }}{{ b }}{{ c }}{{ varargs }}{{ kwargs }};{% endmacro %}{{ f(1) }}{{ f(1, 2, 3, 4, 5) }}{{ f(1, x=2) }}{{ f(b=2, a=1) }}{{ f(*[1, 2]) }}{{ f(**{'a': 3}) }}{{ f.name }} {{ f.arguments }} {% macro g(x) %}<{{ caller() if caller else x }}>{% endmacro %}{{ g(1) }}{% call g(2) %}in{% endcall %}{% call(u, v=3) f(1) %}{% endcall %}{% for h in [f] %}{{ h(0) }}{% endfor %}",
    "macro-missing": "{% macro f(a) %}[{{ a }}{{ a is defined }}]{% endmacro %}{{ f() }}",
    "macro-too-many": "{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}",
    "set-blocks": "{% set a %} x {{ 1 + 1 }} {% endset %}[{{ a }}] {% set b | trim | upper %} y {% endset %}[{{ b }}] {% set c, d = 'pq' %}{{ c }}{{ d }} {% set e = 1, 2 %}{{ e }}",
    "whitespace": "a\n  {% if true %}\n    b\n  {% endif %}\nc {%- if true %} d {%- endif -%}  \n e\n\t{# note #}\n f {#- x -#} g {%+ if true %} h{% endif +%}\ni\n{{ 'j' }}\n  {{- 'k' -}}  \nl\n\n",
    "raw": "{% raw %}{{ x }} {% y %}{# z #}{% endraw %} {%- raw -%} a {%- endraw -%} b",
    "crlf": "a\r\n{% if true %}\r\nb\r\n{% endif %}\r\n{{ 'c\r\nd' }}\re",
    "escapes": "{{ 'a\\tb\\\\c\\'d\\x41\\u00e9\\U0001f600\\101\\q' }} {{ \"e\" 'f' }}",
    "comments": "a{# {% if %} {{ x }} #}b{#\n#}\nc",
    "inline-if": "{{ 'a' if true }}{{ 'b' if false }}[{{ ('c' if false) is defined }}]{{ 'd' if false else 'e' if false else 'f' }}",
    "concat": "{{ 1 ~ 'a' ~ none ~ true ~ 1.5 ~ [1] }} {{ 'z' + 2 ~ 3 }} {{ 'a' ~ 'b' * 2 }}",
    "precedence": "{{ 2 + 3 * 4 ** 2 // 5 % 7 - 1 }} {{ -5|abs }} {{ not 1 == 2 }} {{ 1 + 1 == 2 and 'a' ~ 'b' == 'ab' }} {{ 'a' 'b'|upper }} {{ 2 * 3 is divisibleby 3 }} {{ 'x' ~ 'y'|upper }}",
    "generators": "{% set g = [1, 2, 3]|select('odd') %}{{ g|list }} {{ g|list }} {{ [1]|map('string') is iterable }} {{ ([1, 2]|map('string'))|first }}",
    "generator-length": "{{ [1, 2]|map('string')|length }}",
    "objects": "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }} {% set j = joiner('|') %}{{ j() }}1{{ j() }}2 {{ dict(a=1, b=2) }} {{ dict([('x', 1)]) }} {{ dict({'y': 2}, z=3) }} {{ dict.fromkeys(['k'], 0) }} {{ range(3) }} {{ range(5, 0, -2)|list }}",
    "blocks": "{% block a %}A{{ x }}{% endblock %}{% set x = 1 %}{% block b %}B{{ x }}{% endblock %}{{ self.a() }}{% for i in [1, 2] %}{% block c scoped %}{{ i }}{% endblock %}{% endfor %}",
    "dates": "{{ strftime_now('%a %A %w %d %b %B %m %y %Y %H %I %p %M %S %j %U %W %V %G %u %e %D %F %T %R %r %h %C %g %k %l %P %c %x %X %% %-d %-m %_d %^a %s'|replace('%s', '')) }}",
    "unknown-filter": "{{ 'a'|nope }}",
    "unknown-filter-unused": "{% if false %}{{ 'a'|nope }}{% endif %}b",
    "unknown-test": "{{ 'a' is nope }}",
    "unknown-tag": "{% nope %}",
    "include-unused": "{% if false %}{% include 'x' %}{% endif %}c",
    "raise": "{{ raise_exception('no') }}",
    "sort-mixed": "{{ [1, 'a']|sort }}",
    "unpack-wrong": "{% for a, b in [(1, 2, 3)] %}{% endfor %}",
    "assign-loop": "{% for x in [1] %}{% set loop = 2 %}{% endfor %}",
    "mixed-quotes": "{{ \"it's\"|tojson }} {{ 'say \"hi\"'|string|list|length }} {{ ['\"', \"'\"] }}",
    "pprint": "{{ {'b': 1, 'a': [1, 2]}|pprint }}\n{{ tools|pprint }}",
    "wordwrap": "{{ 'The quick brown fox jumps over a well-known-dog and anextremelylongwordindeed'|wordwrap(16) }}",
    "xmlattr": "<a{{ {'class': 'x', 'id': none, 'title': '<b>'}|xmlattr }}>",
}


def main():
    cases = []
    for name, template in FAMILIES.items():
        for title, given in CONVERSATIONS.items():
            cases.append({"name": f"{name} {title}", "template": name, "conversation": title, "expected": render(template, **copy.deepcopy(given))})
    for name, template in CONSTRUCTS.items():
        cases.append({"name": name, "template": name, "conversation": "one", "expected": render(template, **copy.deepcopy(CONVERSATIONS["one"]))})
    refused = [case["name"] for case in cases if case["expected"] is None]
    print(len(FAMILIES), "families,", len(CONSTRUCTS), "constructs,", len(cases), "cases,", len(refused), "refused:", *refused, sep="\n  ")
    with open("../tokenizer/templates.json", "w", encoding="utf8") as file:
        json.dump({"templates": {**FAMILIES, **CONSTRUCTS}, "conversations": CONVERSATIONS, "cases": cases}, file, ensure_ascii=False, indent=1)
        file.write("\n")


main()
