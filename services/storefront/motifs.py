"""One drawing for each category, on a field of 160 by 120 that stands on y = 105; three colours are filled in."""

MOTIFS = {
    "Spices": """
<path fill="$main" d="M46 84C58 70 68 42 80 34c12 8 22 36 34 50z"/>
<path fill="$light" fill-opacity=".55" d="M80 34c12 8 22 36 34 50H88c4-18 0-36-8-50z"/>
<path fill="$dark" d="M38 82h84c0 14-12 23-26 23H64c-14 0-26-9-26-23z"/>
<path fill="$light" d="M44 88h72l-2 5H46z" opacity=".5"/>
<circle fill="$main" cx="34" cy="102" r="2.5"/><circle fill="$main" cx="127" cy="101" r="2"/>
<circle fill="$main" cx="121" cy="104" r="1.6"/>""",
    "Tea": """
<path fill="none" stroke="$dark" stroke-width="6" d="M108 58c20-6 24 28-2 32"/>
<path fill="$dark" d="M56 82C42 80 40 62 28 52l8-3c12 4 14 14 24 16z"/>
<path fill="$main" d="M54 72c0-16 10-24 28-24s28 8 28 24c0 14-6 25-12 31H66c-6-6-12-17-12-31z"/>
<path fill="$dark" d="M64 48c2-9 9-13 18-13s16 4 18 13z"/><circle fill="$main" cx="82" cy="31" r="5"/>
<path fill="$light" d="M55 66h54l1 7H54z"/>
<path fill="none" stroke="$dark" stroke-opacity=".4" stroke-width="2.5" stroke-linecap="round"
 d="M26 42c-5-6 4-9 0-16M35 40c-5-6 4-9 0-16"/>""",
    "Ceramics": """
<path fill="$main" d="M68 30h24l-3 12c14 8 21 20 21 33 0 14-8 25-16 30H66c-8-5-16-16-16-30 0-13 7-25 21-33z"/>
<path fill="$light" d="M52 66h56c2 6 2 12 1 18H51c-1-6-1-12 1-18z"/>
<path fill="$dark" d="M56 75l8-7 8 7-8 7zM72 75l8-7 8 7-8 7zM88 75l8-7 8 7-8 7z"/>
<path fill="$dark" d="M64 26h32v6H64zM66 101h28l-1 4H67z"/>""",
    "Lamps": """
<circle fill="$light" cx="80" cy="70" r="36" opacity=".8"/>
<path stroke="$dark" stroke-width="2.5" d="M80 0v26"/>
<path fill="$dark" d="M66 40c2-9 8-14 14-14s12 5 14 14z"/><path fill="$main" d="M58 40h44l6 12H52z"/>
<path fill="$dark" d="M52 52h56l-7 38H59z"/>
<path fill="$light" d="M59 57h11l1 28h-7zM75 57h10v28H75zM90 57h11l-5 28h-7z"/>
<path fill="$main" d="M57 90h46l-9 9H66z"/><circle fill="$dark" cx="80" cy="102" r="3"/>""",
    "Textiles": """
<path fill="$dark" d="M40 84h80a5 5 0 0 1 0 21H40a5 5 0 0 1 0-21z"/>
<path fill="$main" d="M44 62h74a5 5 0 0 1 0 21H44a5 5 0 0 1 0-21z"/>
<path fill="$light" d="M42 40h76a5 5 0 0 1 0 21H42a5 5 0 0 1 0-21z"/>
<path fill="$main" d="M58 40h6v21h-6zM70 40h3v21h-3zM96 40h6v21h-6z"/>
<path fill="$light" d="M56 62h4v21h-4zM66 62h9v21h-9zM99 62h4v21h-4z"/>
<path fill="$main" d="M62 84h4v21h-4zM92 84h9v21h-9z"/>
<path stroke="$dark" stroke-width="2" d="M118 44h9M118 50h10M118 56h9"/>""",
    "Leather": """
<path fill="none" stroke="$dark" stroke-width="5" d="M56 56c0-36 48-36 48 0"/>
<rect fill="$main" x="42" y="50" width="76" height="55" rx="7"/>
<path fill="$dark" d="M42 57a7 7 0 0 1 7-7h62a7 7 0 0 1 7 7v10c0 13-16 18-38 18S42 80 42 67z"/>
<path fill="none" stroke="$light" stroke-dasharray="4 3" stroke-width="1.5"
 d="M46 57v10c0 10 14 14 34 14s34-4 34-14V57"/>
<rect fill="$light" x="73" y="76" width="14" height="17" rx="3"/>
<rect fill="$dark" x="78" y="81" width="4" height="8" rx="2"/>""",
    "Jewellery": """
<path fill="none" stroke="$dark" stroke-width="2" d="M42 28c2 36 18 52 38 52s36-16 38-52"/>
<g fill="$main"><circle cx="44" cy="43" r="4"/><circle cx="49" cy="56" r="4.6"/><circle cx="57" cy="67" r="5.2"/>
<circle cx="67" cy="75" r="5.8"/><circle cx="93" cy="75" r="5.8"/><circle cx="103" cy="67" r="5.2"/>
<circle cx="111" cy="56" r="4.6"/><circle cx="116" cy="43" r="4"/></g>
<path fill="$dark" d="M80 74l13 15-13 18-13-18z"/><path fill="$light" d="M80 80l8 9-8 11-8-11z"/>
<path fill="$main" d="M80 80l8 9h-16z"/>""",
    "Carpets": """
<path stroke="$dark" stroke-width="1.6" d="M44 26v-7M52 26v-7M60 26v-7M68 26v-7M76 26v-7M84 26v-7M92 26v-7M100 26v-7
M108 26v-7M116 26v-7M44 106v6M52 106v6M60 106v6M68 106v6M76 106v6M84 106v6M92 106v6M100 106v6M108 106v6M116 106v6"/>
<path fill="$dark" d="M40 25h80v82H40z"/><path fill="$light" d="M45 30h70v72H45z"/>
<path fill="$main" d="M49 34h62v64H49z"/>
<path fill="$light" d="M80 38l22 28-22 28-22-28z"/><path fill="$dark" d="M80 47l15 19-15 19-15-19z"/>
<path fill="$main" d="M80 56l8 10-8 10-8-10z"/>
<path fill="$dark" d="M52 37h10L52 50zM108 37H98l10 13zM52 95h10L52 82zM108 95H98l10-13z"/>""",
    "Sweets": """
<path fill="$main" d="M80 34l22 12-22 12-22-12z"/><path fill="$dark" d="M58 46l22 12v12L58 58zM102 46L80 58v12l22-12z"/>
<path fill="$main" d="M58 60l22 12-22 12-22-12zM102 60l22 12-22 12-22-12z"/>
<path fill="$dark" d="M36 72l22 12v12L36 84zM80 72L58 84v12l22-12zM80 72l22 12v12L80 84zM124 72l-22 12v12l22-12z"/>
<g fill="$light"><circle cx="80" cy="46" r="4"/><circle cx="58" cy="72" r="4"/><circle cx="102" cy="72" r="4"/></g>
<path fill="$dark" d="M26 96h108l-10 9H36z" opacity=".75"/>""",
    "Hammam": """
<path fill="$dark" d="M62 22h16v12H62z"/>
<path fill="$main" d="M60 34h20c2 10 12 12 12 24v40a7 7 0 0 1-7 7H55a7 7 0 0 1-7-7V58c0-12 10-14 12-24z"/>
<path fill="$light" d="M48 64h44v24H48z"/><path fill="$dark" d="M70 68c8 6 8 12 0 17-8-5-8-11 0-17z"/>
<rect fill="$light" x="90" y="84" width="40" height="21" rx="8"/>
<rect fill="$main" x="98" y="90" width="24" height="9" rx="4"/>
<g fill="#fff" stroke="$main" stroke-width="1.5"><circle cx="104" cy="72" r="7"/><circle cx="119" cy="64" r="5"/>
<circle cx="108" cy="54" r="3.5"/></g>""",
    "Baskets": """
<path fill="none" stroke="$dark" stroke-width="5" d="M56 60C50 14 110 14 104 60"/>
<path fill="$main" d="M40 56h80l-10 43a8 8 0 0 1-8 6H58a8 8 0 0 1-8-6z"/>
<path fill="none" stroke="$light" stroke-width="3" stroke-dasharray="7 5" d="M43 70h74M46 84h68M50 97h60"/>
<path fill="none" stroke="$dark" stroke-opacity=".55" stroke-width="3" stroke-dasharray="7 5"
 d="M49 63h66M51 77h64M54 91h56"/>
<rect fill="$dark" x="36" y="52" width="88" height="9" rx="4.5"/>""",
    "Music": """
<path stroke="$dark" stroke-width="7" d="M92 62l30-38"/><path fill="$dark" d="M116 14l13 10-6 7-13-10z"/>
<path fill="$main" d="M98 56c13 11 10 32-5 42-17 11-40 8-46-6-6-15 4-31 21-38 11-5 21-6 30 2z"/>
<circle fill="$dark" cx="76" cy="76" r="10"/><circle fill="$light" cx="76" cy="76" r="6"/>
<path fill="$dark" d="M52 84l12 14-4 3-11-13z"/>
<path stroke="$light" stroke-width="1.2" d="M57 92l62-70M60 95l62-71M54 89l62-69"/>
<path stroke="$light" stroke-width="2.5" d="M118 18l-6-4M127 26l6 3M122 20l1-7"/>""",
}
PARCEL = """
<path fill="$main" d="M80 30l42 18v42l-42 18-42-18V48z"/><path fill="$light" d="M80 30l42 18-42 18-42-18z"/>
<path fill="$dark" d="M80 66l42-18v42l-42 18z" opacity=".55"/><path fill="$dark" d="M56 40l42 18v10l-6-2v-6L50 42z"/>"""
