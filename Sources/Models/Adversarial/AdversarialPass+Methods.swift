import Tensors

extension AdversarialPass {
    /// T ascents, then a plain pass at δ.
    func label(_ micro: MicroBatch<Device>, _ source: NoiseSource, into gradient: Device.Target?,
               frozen: Set<ParameterUnit>) -> Double {
        var noise: Device.Source
        if gradient != nil {
            let climbing = climbing(micro.batch)
            begin(climbing, source)
            for t in 0..<settings.noise.ascentSteps {
                model.forward(micro, climbing, noise: noiseAt(delta))
                _ = model.loss(classWeights: micro.classWeights, normalizer: 1)
                if t == 0 { recordStart(climbing) }
                climb(climbing)
            }
            recordNoise(climbing, classWeights: micro.classWeights)
            noise = Device.Source(climbing === micro.batch ? delta : spreadOut(over: micro.batch))
            kept?.keep(noise, count: micro.batch.tokenCount * ball.C)
        } else {
            noise = kept!.next(count: micro.batch.tokenCount * ball.C)
        }
        model.forward(micro, noise: noiseAt(noise))
        let loss = model.loss(classWeights: micro.classWeights, normalizer: micro.normalizer)
        if let gradient {
            recordEnd(micro.batch)
            model.backward(into: gradient, frozen: frozen)
        }
        return loss
    }

    /// T + 1 passes with a gradient of weights and noise, an ascent between each two.
    func average(_ micro: MicroBatch<Device>, _ source: NoiseSource, into gradient: Device.Target?,
                 frozen: Set<ParameterUnit>) -> Double {
        let batch = micro.batch, count = batch.tokenCount * ball.C, last = settings.noise.ascentSteps
        let passes = Double(last + 1)
        if gradient != nil {
            // The examples without noise take part in every pass, at zero.
            if rowCount < batch.sequenceCount { delta.update(repeating: 0, count: count) }
            begin(batch, source)
        }
        var total = 0.0
        for t in 0...last {
            let noise = gradient == nil ? kept!.next(count: count) : Device.Source(delta)
            model.forward(micro, noise: noiseAt(noise))
            total += model.loss(classWeights: micro.classWeights, normalizer: micro.normalizer * passes)
            guard let gradient else { continue }
            kept?.keep(noise, count: count)
            if t == 0, last > 0 { recordStart(batch) }
            if t == last {
                recordEnd(batch)
                recordNoise(batch, classWeights: micro.classWeights)
                model.backward(into: gradient, frozen: frozen)
            } else {
                climb(batch, into: gradient, frozen: frozen)
            }
        }
        return total / passes
    }

    /// A clean pass that waits in set 0, T ascents and a noisy pass in set 1, then the way back through both.
    func divergence(_ micro: MicroBatch<Device>, _ source: NoiseSource, weight: Double, ascent: Divergence,
                    into gradient: Device.Target?, frozen: Set<ParameterUnit>) -> Double {
        let climbing = climbing(micro.batch), head = model.head, K = head.outputs
        let normalizer = Double(head.loss == .crossEntropy ? micro.exampleCount : micro.exampleCount * K)
        defer { model.activationSet = 0 }
        model.forward(micro)
        let loss = model.loss(classWeights: micro.classWeights, normalizer: micro.normalizer)
        if gradient != nil { recordClean(micro.batch) }
        let clean = model.logits, dClean = model.logitGradient
        model.activationSet = 1

        /// Σ over the climbing sequences; the derivative by the noisy logits is left where `backward` takes it.
        func sum(_ divergence: Divergence, scale: Double, dClean: Device.Target?) -> Double {
            var total = 0.0
            for i in 0..<rowCount {
                total += divergence.evaluate(
                    head.loss, K: K, noisy: model.logits + i * K, clean: clean + rows[i] * K, scale: scale,
                    dNoisy: model.logitGradient + i * K, dClean: dClean.map { $0 + rows[i] * K })
            }
            return total
        }

        var noise = Device.Source(delta)
        if gradient != nil {
            begin(climbing, source)
            for t in 0..<settings.noise.ascentSteps {
                model.forward(micro, climbing, noise: noiseAt(noise))
                if t == 0 {
                    _ = model.loss(classWeights: micro.classWeights, normalizer: 1)
                    recordStart(climbing)
                }
                _ = sum(ascent, scale: 1, dClean: nil)
                climb(climbing)
            }
            recordNoise(climbing, classWeights: micro.classWeights)
            kept?.keep(noise, count: climbing.tokenCount * ball.C)
        } else {
            noise = kept!.next(count: climbing.tokenCount * ball.C)
        }
        model.forward(micro, climbing, noise: noiseAt(noise))
        if gradient != nil {
            _ = model.loss(classWeights: micro.classWeights, normalizer: 1)
            recordEnd(climbing)
        }
        let apart = sum(.symmetric, scale: weight / normalizer, dClean: dClean)
        if let gradient {
            model.backward(into: gradient, frozen: frozen)
            model.activationSet = 0
            model.backward(into: gradient, frozen: frozen)
        }
        return loss + weight * apart * (micro.normalizer / normalizer)
    }
}
