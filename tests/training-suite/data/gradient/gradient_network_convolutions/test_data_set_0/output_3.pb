Bd_scaleJÿÚ¿
¥(¾