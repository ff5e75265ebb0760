B
upstream_yJy÷»?U †?¶(?e¿Z¨?>¥¿