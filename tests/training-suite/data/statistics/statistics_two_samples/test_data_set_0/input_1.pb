BscaleJZŽ’?6?í>
H°>