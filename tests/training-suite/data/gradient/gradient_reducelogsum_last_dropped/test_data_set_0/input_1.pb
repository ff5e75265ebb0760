B
upstream_yJ¨ç"?Dzœ?Ø-¾¿ñ0?“Ik¿º;o?