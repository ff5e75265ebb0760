B
upstream_yJ<"3F?#s?Æ
–?nüJ?ò¿Ty+¿¡@¿V`v?Õ8K¿´…©¿Xæ(?öLƒ¿Ypc?÷œŠ?¨€¾¿