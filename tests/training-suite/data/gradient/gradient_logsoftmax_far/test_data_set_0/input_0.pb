BxJ<;BYA©B"&BŽå´À¾B½™«AUœ
B+F,Âz²_Àc9“BH%PÂŸÓjB{Ã¥ÂRbA€ˆÂ