B
upstream_yJ(f§?‘°¿q#¤¿lG¿….–¿rú™?Ýÿ[¿x©ƒ¿@.?¿ïF¿