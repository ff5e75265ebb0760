B
upstream_yJ@o¿@«¡?HÂo¿a1?ğÌ?Oğ¶?