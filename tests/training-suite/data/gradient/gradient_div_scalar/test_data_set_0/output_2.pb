Bd_bJÙ
¿